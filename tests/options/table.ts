/**
 * The table of options times kinds of value: each cell is accepted, with an effect, or a `TypeError`
 * that names the option. Nothing else is thrown, nothing hangs, and nothing is ignored.
 *
 * Rule: a row names the kinds that it accepts, all of them. So an option that begins to accept
 * another kind fails its row, and a new kind is refused by every row until one says otherwise.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { within } from "../engine/bounded.ts";
import { type Kind, KIND_NAMES, KINDS } from "./kinds.ts";

/** One option. */
export interface Row<Options> {
  /** The kinds that it accepts besides `undefined`. */
  accepts: readonly Kind[];
  /** Whether `undefined` is refused: there is no way to leave it out. */
  needed?: boolean;
  /** The other options with which it is tried. */
  beside?: Options;
  /** How the value is put among the options; as `{ [name]: value }` by default. */
  put?: (value: unknown) => Record<string, unknown>;
  /** What messages call it; the name by default. */
  called?: string;
  /** Checks what came of an accepted value. */
  effect?: (made: Made, kind: Kind, value: unknown) => void | Promise<void>;
}

/**
 * A row for each option of an interface: one that is added does not compile without. `Beside` are
 * the options that it may be tried with.
 */
export type Rows<Options, Beside = Options> = {
  [Name in keyof Required<Options>]: Row<Partial<Beside>>;
};

// deno-lint-ignore no-explicit-any -- each table makes something of its own
type Made = any;

/** What is checked of a thrown error: its very class, and that it names the option. */
function assertNames(error: unknown, option: string, cell: string): void {
  assert(error instanceof Error, `${cell}: threw what is no error`);
  assertEquals(error.constructor, TypeError, `${cell}: ${error.stack}`);
  const named = [`"${option}"`, `"${option}.`, `"${option}[`].some((name) =>
    error.message.includes(name)
  );
  assert(named, `${cell}: does not name it: ${error.message}`);
  assert(error.message.length < 600, `${cell}: a message of ${error.message.length} characters`);
}

/**
 * Registers a test for each row.
 *
 * @param what What the options are of, as in the names of tests.
 * @param make Takes the options, and settles when they had their effect.
 */
export function testTable<Options extends object>(
  what: string,
  rows: Record<string, Row<Partial<Options>>>,
  make: (options: Options) => unknown,
): void {
  for (const [name, row] of Object.entries(rows)) {
    Deno.test(`${what}: "${name}" is accepted or refused by its kind, and named`, async () => {
      for (const kind of KIND_NAMES) {
        const cell = `${name}: ${kind}`;
        const value = KINDS[kind]();
        const put = row.put?.(value) ?? { [name]: value };
        const options = { ...row.beside, ...put } as Options;
        const accepted = kind === "undefined" ? !row.needed : row.accepts.includes(kind);
        let made: Made, error: unknown;
        try {
          made = await within(Promise.resolve(make(options)), cell);
        } catch (thrown) {
          error = thrown;
        }
        if (accepted) {
          assertEquals(error, undefined, cell);
          await row.effect?.(made, kind, value);
        } else if (error === undefined) throw new Error(`${cell}: is accepted`);
        else assertNames(error, row.called ?? name, cell);
        await made?.[Symbol.asyncDispose]?.();
      }
    });
  }
}

/** Registers a test of the object that holds the options; `called` is what messages call it. */
export function testWhole(
  what: string,
  accepts: readonly Kind[],
  make: (options: unknown) => unknown,
  called: RegExp,
): void {
  Deno.test(`${what}: what is no object of options is a TypeError that says so`, async () => {
    for (const kind of KIND_NAMES) {
      let made: Made, error: unknown;
      try {
        made = await within(Promise.resolve(make(KINDS[kind]())), kind);
      } catch (thrown) {
        error = thrown;
      }
      await made?.[Symbol.asyncDispose]?.();
      if (accepts.includes(kind)) {
        assertEquals(error, undefined, kind);
        continue;
      }
      assert(error instanceof Error, `${kind} is accepted`);
      assertEquals(error.constructor, TypeError, `${kind}: ${error.stack}`);
      assert(called.test(error.message), `${kind}: ${error.message}`);
    }
  });
}
