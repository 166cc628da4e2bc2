/**
 * What a test asks of a runtime, and what it answers: JSON, so that it crosses a pipe, a socket or
 * an HTTP request. Bytes are hexadecimal.
 *
 * @module
 */

import type { ClientContextOptions, HandshakeInfo, ServerContextOptions } from "../../mod.ts";

/** A connection of the runtime's client. */
export interface VisitInput {
  /** On 127.0.0.1; the server is called `localhost` unless the next one says otherwise. */
  port: number;
  hostname?: string;
  serverName?: string;
  /** Options of the context that are JSON. */
  options: Omit<ClientContextOptions, "resumption" | "verify" | "onDiagnostic" | "keyLog">;
  session?: string;
  /** Resume by the runtime's own store, sealed under this secret. */
  secret?: string;
  earlyData?: string;
  handshakeTimeout?: number;
  /** Abort before connecting, or so many milliseconds after. */
  abort?: "before" | number;
  /** What to send; then it reads to the end. Default: a GET. */
  send?: string;
  /** Read a line, then send so many bytes and have them back. */
  echo?: number;
  /** Ask for these paths by HTTP/1.1, one after the other, instead; the bodies come back. */
  fetch?: string[];
}

/** What an error of any kind is to a test. */
export interface Failure {
  name: string;
  message: string;
  code?: string;
  origin?: string;
  alert?: string;
}

/** What became of a connection. */
export interface VisitResult {
  /** There once the handshake is complete. */
  info?: Omit<HandshakeInfo, "peerCertificates"> & { chainLength: number };
  reused?: boolean;
  miss?: string | null;
  /** What the server sent, as text; of an echo its first line. */
  received: string;
  /** Whether what came back is what was sent. */
  same?: boolean;
  /** The newest session. */
  session: string | null;
  error?: Failure;
}

/** A server in the runtime: each connection gets a line that tells, then what it sends. */
export interface ServeInput {
  options: Omit<
    ServerContextOptions,
    "resumption" | "verify" | "onDiagnostic" | "keyLog" | "sessionData"
  >;
  resumption?: {
    mode: "stateful" | "tickets";
    /** Of sealing keys and ticket keys. */
    secret: string;
    /** A store over HTTP, see `http_store.ts`. Stateful only. */
    store?: string;
  };
}

/** What a server says of a connection, or of a handshake that failed. */
export interface Report {
  resumed?: boolean;
  protocol?: string;
  serverName?: string | null;
  alpnProtocol?: string | null;
  earlyData?: string;
  /** Length of the client's chain. */
  peer?: number;
  error?: Failure;
}

/** What mistakes are made with. */
export interface MistakesInput {
  /** A server's certificate. */
  cert: string;
  key: string;
  /** The bytes of a session. */
  session: string;
}

/** Operations by name. */
export interface Operations {
  /** What runs here, such as `Deno 2.9.6`. */
  version(input: null): Promise<string>;
  visit(input: VisitInput): Promise<VisitResult>;
  /** The port, where the runtime listens itself. */
  serve(input: ServeInput): Promise<number | null>;
  /** Ends the server; what it saw since the last `serve`. */
  stop(input: null): Promise<Report[]>;
  /** Makes mistakes (`mistakes.ts`); what each came to, by its name. */
  mistakes(input: MistakesInput): Promise<Record<string, string>>;
}

/** What an operation is asked, and what it answers. */
export type Input<Name extends keyof Operations> = Parameters<Operations[Name]>[0];
export type Result<Name extends keyof Operations> = Awaited<ReturnType<Operations[Name]>>;

/** Asks an agent. */
export type Ask = <Name extends keyof Operations>(
  operation: Name,
  input: Input<Name>,
) => Promise<Result<Name>>;

/** One call. */
export interface Call<Name extends keyof Operations = keyof Operations> {
  id: number;
  operation: Name;
  input: Input<Name>;
}

/** Its answer. */
export interface Answer {
  id: number;
  result?: unknown;
  error?: string;
}
