/**
 * Runs other programs for the scripts.
 *
 * Rules:
 * - A program that fails ends the script: nobody looks at exit codes.
 * - The environment is the caller's less what would change a build: see {@linkcode plainEnv}.
 */

/** Where and with what a program runs. */
export interface RunOptions {
  cwd?: string;
  /** The whole environment; the script's own by default. */
  env?: Record<string, string>;
}

/** What could reach a compiler from the shell of whoever builds. */
const CHANGES_A_BUILD =
  /^(RUST(C|FLAGS|DOC|UP_TOOLCHAIN)|CARGO($|_(?!HOME|HTTP|NET|REGISTR|SOURCE))|CC|CXX|AR|(HOST|TARGET)_|[A-Z]*FLAGS|SOURCE_DATE_EPOCH|WASM_)/;

/** The environment of this process without the settings of compilers. */
export function plainEnv(): Record<string, string> {
  const all = Object.entries(Deno.env.toObject());
  return Object.fromEntries(all.filter(([name]) => !CHANGES_A_BUILD.test(name)));
}

/** Runs a program that speaks to the terminal itself. */
export async function run(program: string, args: string[], options: RunOptions = {}) {
  const { code } = await command(program, args, options, "inherit").spawn().status;
  if (code !== 0) fail(program, args, code);
}

/** Runs a program and returns what it wrote to its standard output, without the last newline. */
export async function output(program: string, args: string[], options: RunOptions = {}) {
  const { code, stdout, stderr } = await command(program, args, options, "piped").output();
  const decoder = new TextDecoder();
  if (code !== 0) fail(program, args, code, decoder.decode(stderr) + decoder.decode(stdout));
  return decoder.decode(stdout).trimEnd();
}

/** Whether the program is there and says yes. */
export async function succeeds(program: string, args: string[]): Promise<boolean> {
  try {
    return (await command(program, args, {}, "piped").output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function command(program: string, args: string[], options: RunOptions, std: "inherit" | "piped") {
  return new Deno.Command(program, {
    args,
    cwd: options.cwd,
    env: options.env,
    clearEnv: options.env !== undefined,
    stdin: "null",
    stdout: std,
    stderr: std,
  });
}

function fail(program: string, args: string[], code: number, said = ""): never {
  throw new Error(`${[program, ...args].join(" ")} failed with code ${code}\n${said}`.trim());
}
