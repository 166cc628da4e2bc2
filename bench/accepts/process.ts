/**
 * A process that answers lines with lines of JSON.
 *
 * @module
 */

import { Child } from "../../tests/peers/child.ts";

const TIMEOUT_MS = 120_000;

/** Owned by `await using`: the end of its stdin ends it. */
export class Answering implements AsyncDisposable {
  readonly #child: Child;
  #seen = 0;

  constructor(command: string, args: string[]) {
    this.#child = new Child(command, { args, stdin: "piped", env: { NO_COLOR: "1" } });
  }

  /** The next line that it writes. */
  async line<T>(): Promise<T> {
    const number = ++this.#seen;
    const pattern = new RegExp(`^(?:.*\\n){${number - 1}}(\\{.*\\})\\n`);
    const [, line] = await this.#child.waitForLog(pattern, TIMEOUT_MS);
    return JSON.parse(line) as T;
  }

  /** Its answer to a line. */
  async ask<T>(question: unknown): Promise<T> {
    await this.#child.write(`${JSON.stringify(question)}\n`);
    return await this.line<T>();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child.stop();
  }
}
