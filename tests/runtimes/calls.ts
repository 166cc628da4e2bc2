/**
 * Calls to an agent over a line of messages: matched by number, bounded in time.
 *
 * @module
 */

import { bounded } from "../interop/visit.ts";
import type { Answer, Call, Input, Operations, Result } from "./protocol.ts";

const LIMIT_MS = 30_000;

/** The calls under way. */
export class Calls {
  readonly #send: (line: string) => unknown;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #next = 0;
  #failure: Error | undefined;

  constructor(send: (line: string) => unknown) {
    this.#send = send;
  }

  /** Asks, and waits. */
  async call<Name extends keyof Operations>(
    operation: Name,
    input: Input<Name>,
  ): Promise<Result<Name>> {
    if (this.#failure !== undefined) throw this.#failure;
    const id = this.#next++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#send(JSON.stringify({ id, operation, input } satisfies Call));
    try {
      return await bounded(waiting.promise, operation, LIMIT_MS) as Result<Name>;
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** An answer has come. */
  answer(line: string): void {
    const { id, result, error } = JSON.parse(line) as Answer;
    const waiting = this.#waiting.get(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  /** No answer will come any more. */
  fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}
