/**
 * One child process: bounded memory of its output, bounded waits, no leaks.
 *
 * Rules:
 * - A child is owned by `await using`. Leaving the scope ends it by its own pid and waits for its
 *   status and its streams, so that the sanitizers of `Deno.test` stay satisfied.
 * - Every wait has a limit, and its error shows the command and its output.
 * - Of each stream the first and the last part are kept; what lies between is counted.
 *
 * @module
 */

/** Kept of each stream: so many characters of its start, and as many of its end. */
const KEPT = 128 * 1024;
const STOP_PATIENCE_MS = 3_000;
export const DEFAULT_TIMEOUT_MS = 15_000;

export interface ChildOptions {
  args?: string[];
  cwd?: string;
  env?: Record<string, string>;
  /** `piped` keeps stdin open until `closeStdin` or the end. */
  stdin?: "null" | "piped";
}

export class Child implements AsyncDisposable {
  readonly pid: number;
  readonly stdout: Transcript;
  readonly stderr: Transcript;
  readonly #name: string;
  readonly #process: Deno.ChildProcess;
  readonly #finished: Promise<Deno.CommandStatus>;
  #stdin: WritableStreamDefaultWriter<Uint8Array> | null;
  #ended = false;

  constructor(command: string, { args = [], cwd, env, stdin = "null" }: ChildOptions = {}) {
    this.#name = [command, ...args].join(" ").slice(0, 500);
    this.#process = new Deno.Command(command, {
      args,
      cwd,
      env,
      stdin,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#process.pid;
    this.#stdin = stdin === "piped" ? this.#process.stdin.getWriter() : null;
    this.stdout = new Transcript(this.#process.stdout);
    this.stderr = new Transcript(this.#process.stderr);
    this.#finished = Promise.all([
      this.#process.status,
      this.stdout.ended,
      this.stderr.ended,
    ]).then(([status]) => {
      this.#ended = true;
      return status;
    });
  }

  /** Everything it wrote, as far as it was kept. */
  log(): string {
    return [this.stdout.text(), this.stderr.text()].filter((text) => text !== "").join("\n");
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    if (this.#stdin === null) throw new Error(`stdin of ${this.#name} is not open`);
    await this.#stdin.write(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  }

  async closeStdin(): Promise<void> {
    const stdin = this.#stdin;
    this.#stdin = null;
    // A child that is gone has closed its end: nothing is lost.
    await stdin?.close().catch(() => {});
  }

  /** Waits until stdout and stderr together match. */
  async waitForLog(pattern: RegExp, timeout = DEFAULT_TIMEOUT_MS): Promise<RegExpMatchArray> {
    const deadline = performance.now() + timeout;
    while (true) {
      const change = Promise.race([this.stdout.changed(), this.stderr.changed(), this.#finished]);
      const ended = this.#ended;
      const match = this.log().match(pattern);
      if (match !== null) return match;
      if (ended) throw this.#error(`ended before its output matched ${pattern}`);
      const left = deadline - performance.now();
      if (left <= 0 || !(await settledWithin(change, left))) {
        throw this.#error(`had no output matching ${pattern} within ${timeout} ms`);
      }
    }
  }

  /** Waits until it has ended by itself and its output is complete. */
  async exited(timeout = DEFAULT_TIMEOUT_MS): Promise<Deno.CommandStatus> {
    if (!(await settledWithin(this.#finished, timeout))) {
      throw this.#error(`did not end within ${timeout} ms`);
    }
    return await this.#finished;
  }

  async stop(): Promise<void> {
    this.#kill("SIGTERM");
    const stdin = this.#stdin;
    this.#stdin = null;
    await stdin?.abort().catch(() => {});
    if (!(await settledWithin(this.#finished, STOP_PATIENCE_MS))) {
      this.#kill("SIGKILL");
      // A grandchild may hold the pipes open: stop reading rather than wait for it.
      if (!(await settledWithin(this.#finished, STOP_PATIENCE_MS))) {
        await Promise.all([this.stdout.stop(), this.stderr.stop()]);
      }
    }
    await this.#finished;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #kill(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch {
      // It has ended already.
    }
  }

  #error(what: string): Error {
    return new Error(`${this.#name} (pid ${this.pid}) ${what}\n${this.log()}`);
  }
}

/** The text of one stream, its middle cut out when it grows beyond bounds. */
export class Transcript {
  readonly ended: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #head = "";
  #tail = "";
  #omitted = 0;
  #change = Promise.withResolvers<void>();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
    this.ended = this.#read();
  }

  text(): string {
    if (this.#omitted === 0) return this.#head + this.#tail;
    return `${this.#head}\n[${this.#omitted} characters omitted]\n${this.#tail}`;
  }

  changed(): Promise<void> {
    return this.#change.promise;
  }

  async stop(): Promise<void> {
    await this.#reader.cancel();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    while (true) {
      const { done, value } = await this.#reader.read();
      this.#append(decoder.decode(value, { stream: !done }));
      this.#change.resolve();
      this.#change = Promise.withResolvers();
      if (done) return;
    }
  }

  #append(text: string): void {
    const room = KEPT - this.#head.length;
    this.#head += text.slice(0, room);
    this.#tail += text.slice(room);
    const excess = this.#tail.length - KEPT;
    if (excess > 0) {
      this.#omitted += excess;
      this.#tail = this.#tail.slice(excess);
    }
  }
}

/** Whether the promise settles in time. Its outcome is left to the caller. */
export async function settledWithin(promise: Promise<unknown>, timeout: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeout);
  });
  try {
    return await Promise.race([promise.then(() => true, () => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a program says of itself, or null when it is not there. */
export function programVersion(command: string, args: string[]): string | null {
  try {
    const { success, stdout } = new Deno.Command(command, { args, stderr: "null" }).outputSync();
    return success ? new TextDecoder().decode(stdout) : null;
  } catch {
    return null;
  }
}
