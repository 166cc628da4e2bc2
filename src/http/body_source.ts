/**
 * The stream that a request's body comes from.
 *
 * Rules: small chunks that are there already are gathered, so that they go out in one write. Nothing
 * is waited for to that end, and nothing is read ahead of a source that makes others wait. A chunk
 * without bytes is no progress: it is dropped, and the event loop turns among them, so that whoever
 * waits with a time limit is heard. What is gathered is copied: a source may use its buffer again.
 *
 * @module
 */

import { turn } from "./turn.ts";

/** Chunks without bytes that are read in one go. */
const EMPTY_AT_ONCE = 64;
/** A chunk of so many bytes goes out by itself, uncopied. */
const LARGE_BYTES = 4 * 1024;
/** No more small chunks are gathered: it takes a few milliseconds, in which nothing else runs. */
const GATHERED_CHUNKS = 4096;
/** So many turns of promises a chunk is given to be there: sources take some of their own. */
const TICKS = 12;
/** Room for what is gathered, to begin with. */
const FIRST_BYTES = 1024;

/** Bytes of one or more chunks, and how many each of them has. */
export interface Gathered {
  bytes: Uint8Array;
  lengths: readonly number[];
}

type Result = ReadableStreamReadResult<Uint8Array>;

/** A stream, read once. */
export class BodySource {
  readonly #stream: ReadableStream<Uint8Array>;
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  #reading: Promise<Result> | undefined;
  /** What `#reading` came to, if it did well. */
  #read: Result | undefined;
  #next: Promise<Gathered | null> | undefined;
  readonly #cancelled = new AbortController();

  /** Nothing is read before `next()`. */
  constructor(stream: ReadableStream<Uint8Array>) {
    this.#stream = stream;
  }

  /** Whether anything was asked for: then the rest can be sent nowhere else. */
  get begun(): boolean {
    return this.#reader !== null;
  }

  /**
   * The next bytes, one or more, which stay the next ones until `taken()`; `null` at the end. Once
   * `enough` are there no more are gathered.
   */
  next(enough: number): Promise<Gathered | null> {
    return this.#next ??= this.#gather(enough);
  }

  /** The next bytes were taken. */
  taken(): void {
    this.#next = undefined;
  }

  /** Nothing more is read, and the source is told. */
  cancel(reason: unknown): void {
    this.#cancelled.abort();
    try {
      const reader = this.#reader ?? this.#stream.getReader();
      reader.cancel(reason).catch(() => {});
    } catch {
      // Somebody else has it by now.
    }
  }

  async #gather(enough: number): Promise<Gathered | null> {
    if (this.#cancelled.signal.aborted) return null;
    const waitsForNobody = await this.#isThere();
    const first = await this.#first();
    if (first === null) return null;
    if (!waitsForNobody || first.length >= LARGE_BYTES) {
      return { bytes: first, lengths: [first.length] };
    }
    let room = new Uint8Array(FIRST_BYTES + first.length);
    room.set(first);
    let { length } = first;
    const lengths = [length];
    while (length < enough && lengths.length < GATHERED_CHUNKS) {
      if (!(await this.#isThere()) || this.#read!.value!.length >= LARGE_BYTES) break;
      const chunk = await this.#chunk();
      if (chunk === null) break;
      if (length + chunk.length > room.length) {
        const larger = new Uint8Array(2 * room.length + chunk.length);
        larger.set(room.subarray(0, length));
        room = larger;
      }
      room.set(chunk, length);
      length += chunk.length;
      lengths.push(chunk.length);
    }
    return { bytes: room.subarray(0, length), lengths };
  }

  /** The first chunk with bytes. */
  async #first(): Promise<Uint8Array | null> {
    for (let empty = 1;; empty++) {
      const chunk = await this.#chunk();
      if (chunk === null || chunk.length > 0) return chunk;
      if (empty % EMPTY_AT_ONCE === 0) await turn(this.#cancelled.signal);
    }
  }

  async #chunk(): Promise<Uint8Array | null> {
    if (this.#cancelled.signal.aborted) return null;
    const { done, value } = await this.#begin();
    this.#reading = this.#read = undefined;
    if (done || this.#cancelled.signal.aborted) return null;
    if (!(value instanceof Uint8Array)) {
      throw new TypeError(`A request's body must be a stream of Uint8Array, got ${typeof value}`);
    }
    return value;
  }

  /** Reads, unless a read is under way or at hand. */
  #begin(): Promise<Result> {
    if (this.#reading === undefined) {
      this.#reader ??= this.#stream.getReader();
      const reading = this.#reader.read();
      this.#reading = reading;
      // A failure is for whoever takes the chunk.
      reading.then((read) => {
        if (this.#reading === reading) this.#read = read;
      }, () => {});
    }
    return this.#reading;
  }

  /** Whether a chunk is there without waiting; neither an end is one, nor what is no bytes. */
  async #isThere(): Promise<boolean> {
    this.#begin();
    for (let tick = 0; tick < TICKS && this.#read === undefined; tick++) await undefined;
    return this.#read?.value instanceof Uint8Array;
  }
}
