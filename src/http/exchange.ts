/**
 * One request and its response on a connection.
 *
 * Rules: sending and receiving go on side by side, so that an early answer is heard. The first
 * failure is the one that everybody gets, and it closes the connection. The connection goes on only
 * where both messages are whole and nothing lies beyond the response.
 *
 * @module
 */

import { type Deadline, deadline } from "../deadline.ts";
import { type BodyDecoder, LengthDecoder, UntilCloseDecoder } from "./body_decoder.ts";
import { ChunkedDecoder } from "./chunked.ts";
import { beyond, HttpError, late } from "./errors.ts";
import { checkInterim, type Framing, framingOf } from "./framing.ts";
import type { Link } from "./link.ts";
import type { Limits } from "./options.ts";
import { headOf, type PreparedRequest } from "./request.ts";
import { HeadReader, type ResponseHead } from "./response_head.ts";
import { nextPiece, writeAll } from "./sending.ts";
import { turn } from "./turn.ts";

/** How long an answer may still come, after a write failed. */
const LAST_WORDS_MS = 1_000;
/** Where both the source and the connection never make anybody wait, the event loop turns so often. */
const TURN_MS = 50;
/** `Response` takes no body with these. */
const WITHOUT_BODY = new Set([204, 205, 304]);
/** Errors of a connection that say that it is gone, not that somebody did something wrong. */
const GONE = new Set(["ERR_TLS_TRUNCATED", "ERR_TLS_TRANSPORT"]);

/** Made for one request on a link where `begin()` went well. */
export class Exchange {
  readonly #link: Link;
  readonly #request: PreparedRequest;
  readonly #limits: Limits;
  readonly #stop = new AbortController();
  readonly #signals: AbortSignal[];
  #failure: { error: unknown } | undefined;
  #over = false;
  /** Never rejects; whether the message was sent to its end. */
  #sending: Promise<boolean> = Promise.resolve(false);
  /** What `#sending` came to. */
  #sent: boolean | undefined;
  #sendingStopped = false;
  #persistent = false;
  /** Of the final head. */
  #status = 0;
  /** A byte of the answer has come. */
  #answered = false;
  /** The final head is there. */
  #headed = false;
  #headLimit: Deadline | undefined;
  #controller: ReadableByteStreamController | undefined;
  #received = 0;

  /** Nothing happens before `run()`. */
  constructor(link: Link, request: PreparedRequest, limits: Limits) {
    this.#link = link;
    this.#request = request;
    this.#limits = limits;
    this.#signals = request.signals;
  }

  /** Sends the request; resolves when the head of the response is there. */
  async run(): Promise<Response> {
    for (const signal of this.#signals) signal.addEventListener("abort", this.#onAbort);
    try {
      await this.#unlessStopped(this.#prepare());
    } catch (error) {
      // Nothing was sent: another request may follow, but for an abort.
      if (this.#over) throw this.#failure!.error;
      this.#finish();
      this.#request.body.leave(error);
      this.#link.release();
      throw error;
    }
    this.#sending = this.#send().then((sent) => this.#sent = sent);
    try {
      const head = await this.#finalHead();
      this.#headLimit?.[Symbol.dispose]();
      return await this.#respond(head);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  async #prepare(): Promise<void> {
    await this.#link.open(this.#limits.headTimeout, this.#stop.signal);
    // Before the body is touched: it can then be sent on another connection.
    if (!this.#over) this.#link.checkQuiet();
    await this.#request.body.measure(this.#limits.maxBufferedBody);
    if (!this.#over) this.#link.checkQuiet();
  }

  async #send(): Promise<boolean> {
    const { body } = this.#request;
    const { idleTimeout } = this.#limits;
    const { signal } = this.#stop;
    const pieces = body.pieces(headOf(this.#request));
    let turned = performance.now();
    try {
      for (;;) {
        const piece = await nextPiece(pieces, idleTimeout, signal, () => this.#headed);
        if (piece === null) break;
        if (this.#over || this.#sendingStopped) return false;
        try {
          await writeAll(this.#link.conn, piece, idleTimeout, signal);
        } catch (error) {
          this.#afterFailedWrite(error);
          return false;
        }
        if (performance.now() - turned < TURN_MS) continue;
        await turn(signal);
        turned = performance.now();
      }
    } catch (error) {
      // The source of the body failed, or gave nothing in its time.
      this.#fail(error);
      return false;
    }
    if (!body.exhausted) return false;
    this.#awaitHead(
      this.#limits.headTimeout,
      () => late("headTimeout", "The server sent no response", this.#limits.headTimeout),
    );
    return true;
  }

  /** A server may answer and close without reading all: its answer is worth a moment. */
  #afterFailedWrite(error: unknown): void {
    this.#stopSending(error);
    if (this.#headed) return;
    if (error instanceof HttpError) this.#fail(error);
    else this.#awaitHead(LAST_WORDS_MS, () => this.#explain(error));
  }

  #awaitHead(milliseconds: number, error: () => unknown): void {
    if (this.#over || this.#headed) return;
    this.#headLimit = deadline(milliseconds, this.#stop.signal, error);
    const { signal } = this.#headLimit;
    signal.addEventListener("abort", () => this.#fail(signal.reason), { once: true });
  }

  #stopSending(reason: unknown): void {
    this.#sendingStopped = true;
    this.#request.body.cancel(reason);
  }

  /** The first response that is not interim. */
  async #finalHead(): Promise<ResponseHead> {
    const { maxInterimResponses } = this.#limits;
    for (let interim = 0;; interim++) {
      const head = await this.#nextHead();
      if (head.status >= 200) return head;
      checkInterim(head);
      if (interim === maxInterimResponses) {
        throw beyond(
          "maxInterimResponses",
          "The server sent more interim responses",
          maxInterimResponses,
        );
      }
    }
  }

  async #nextHead(): Promise<ResponseHead> {
    const { input } = this.#link;
    const reader = new HeadReader(this.#limits);
    for (;;) {
      if (input.bytes.length > 0) this.#answered = true;
      input.consume(reader.take(input.bytes));
      if (reader.head !== null) return reader.head;
      await this.#unlessStopped(input.fill());
      if (input.failure !== undefined) throw this.#explain(input.failure.error);
      if (input.ended) throw this.#ended();
    }
  }

  #ended(): HttpError {
    if (!this.#answered) return closed();
    return new HttpError("ERR_HTTP_TRUNCATED", "The connection ended within the response's head");
  }

  /** What the connection threw, or that it is gone before it said anything. */
  #explain(error: unknown): unknown {
    const code = (error as { code?: unknown } | null)?.code;
    const passes = typeof code === "string" && code.startsWith("ERR_TLS_") && !GONE.has(code);
    return this.#answered || passes ? error : closed(error);
  }

  async #respond(head: ResponseHead): Promise<Response> {
    const { method, close, body } = this.#request;
    const { framing, persistent } = framingOf(head, method);
    this.#persistent = persistent && !close;
    this.#status = head.status;
    this.#headed = true;
    const { maxBodyBytes } = this.#limits;
    if (framing.kind === "length" && framing.length > maxBodyBytes) {
      throw beyond("maxBodyBytes", `The body has ${framing.length} bytes`, maxBodyBytes);
    }
    if (head.status >= 300 && !body.exhausted) {
      this.#stopSending(new Error(`The server answered ${head.status} early`));
    }
    const headers = new Headers();
    for (const [name, value] of head.fields) headers.append(name, value);
    const init = { status: head.status, statusText: head.reason, headers };
    const decoder = decoderOf(framing, this.#limits);
    if (decoder !== null) return new Response(this.#stream(decoder), init);
    const bodiless = WITHOUT_BODY.has(head.status) || method === "HEAD";
    const response = new Response(bodiless ? null : emptyStream(), init);
    await this.#complete();
    return response;
  }

  #stream(decoder: BodyDecoder): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller;
      },
      pull: async (controller) => {
        try {
          await this.#pull(controller, decoder);
        } catch (error) {
          throw this.#fail(error);
        }
      },
      cancel: (reason) => {
        this.#fail(reason, "the body of a response was cancelled");
      },
    }, { highWaterMark: 0 }) as ReadableStream<Uint8Array<ArrayBuffer>>;
  }

  /** Hands over some content, or the end. */
  async #pull(controller: ReadableByteStreamController, decoder: BodyDecoder): Promise<void> {
    const { input } = this.#link;
    for (let delivered = false;;) {
      const request = controller.byobRequest;
      const view = request?.view as Uint8Array | undefined;
      const max = delivered ? 0 : view?.length ?? Infinity;
      const { consumed, data } = decoder.next(input.bytes, max);
      if (data !== null) {
        this.#count(data.length);
        if (view === undefined) {
          controller.enqueue(data.slice());
        } else {
          view.set(data);
          request!.respond(data.length);
        }
        delivered = true;
      }
      input.consume(consumed);
      if (decoder.done) {
        await this.#complete();
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      if (data !== null) continue;
      if (delivered) return;
      await this.#more(decoder);
    }
  }

  #count(bytes: number): void {
    const { maxBodyBytes } = this.#limits;
    this.#received += bytes;
    if (this.#received > maxBodyBytes) {
      throw beyond("maxBodyBytes", "The body is longer", maxBodyBytes);
    }
  }

  /** Waits for more of the body, or its end. */
  async #more(decoder: BodyDecoder): Promise<void> {
    const { input } = this.#link;
    const { idleTimeout } = this.#limits;
    using limit = deadline(
      idleTimeout,
      this.#stop.signal,
      () => late("idleTimeout", "The server sent no more of the body", idleTimeout),
    );
    await limit.race(input.fill());
    if (input.failure !== undefined) throw input.failure.error;
    if (input.ended) decoder.end();
  }

  /** The response is whole. */
  async #complete(): Promise<void> {
    // Without a turn in between, where it can be: who reads the last byte can send the next request.
    const sent = this.#sent ?? await this.#awaitSent();
    if (this.#over) throw this.#failure!.error;
    this.#finish();
    if (this.#link.input.bytes.length > 0) {
      this.#link.end("the server sent bytes after a response");
    } else if (!sent) {
      this.#link.end("the server answered before it had the whole request");
    } else if (!this.#persistent) {
      this.#link.retire("a response was the last one");
    } else {
      this.#link.release();
    }
  }

  /** Whether the request is whole as well; the last piece of it may take its time. */
  async #awaitSent(): Promise<boolean> {
    if (!this.#request.body.exhausted) {
      this.#stopSending(new Error("The response is complete"));
      return false;
    }
    // Who refused may never read the rest.
    const patience = this.#status >= 300 ? LAST_WORDS_MS : Infinity;
    const over = Symbol();
    using limit = deadline(patience, this.#stop.signal, () => over);
    try {
      return await limit.race(this.#sending);
    } catch (error) {
      if (error !== over) throw error;
      return false;
    }
  }

  async #unlessStopped<T>(promise: Promise<T>): Promise<T> {
    using limit = deadline(Infinity, this.#stop.signal, () => undefined);
    return await limit.race(promise);
  }

  readonly #onAbort = () => {
    this.#fail(this.#signals.find((signal) => signal.aborted)?.reason, "a request was aborted");
  };

  /** Ends it all with an error, the first one; returns that. */
  #fail(error: unknown, why = "a request failed"): unknown {
    if (this.#over) return this.#failure === undefined ? error : this.#failure.error;
    this.#failure = { error };
    this.#finish();
    this.#link.end(why, error);
    this.#request.body.cancel(error);
    this.#stop.abort(error);
    try {
      this.#controller?.error(error);
    } catch {
      // The body is cancelled, or at its end.
    }
    return error;
  }

  #finish(): void {
    this.#over = true;
    this.#headLimit?.[Symbol.dispose]();
    for (const signal of this.#signals) signal.removeEventListener("abort", this.#onAbort);
  }
}

function decoderOf(framing: Framing, limits: Limits): BodyDecoder | null {
  switch (framing.kind) {
    case "none":
      return null;
    case "length":
      return framing.length === 0 ? null : new LengthDecoder(framing.length);
    case "chunked":
      return new ChunkedDecoder(limits);
    case "until_close":
      return new UntilCloseDecoder();
  }
}

function emptyStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({ type: "bytes", start: (controller) => controller.close() });
}

function closed(cause?: unknown): HttpError {
  return new HttpError("ERR_HTTP_CLOSED", "The connection ended before the server answered", {
    cause,
  });
}
