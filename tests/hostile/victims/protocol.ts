/**
 * What a test asks of a victim, and what it answers: JSON on lines.
 *
 * @module
 */

import type { ClientContextOptions, ServerContextOptions } from "../../../mod.ts";
import type { Vitals } from "../vitals.ts";

/** What a victim does with an established connection. */
export type Behaviour =
  /** Sends back what comes, to the end. */
  | "echo"
  /** Reads to the end, and only then sends back what came. */
  | "answer at the end"
  /** Reads to the end, and says nothing. */
  | "sink"
  /** Reads nothing until it is told to stop. */
  | "idle"
  /** Reads 100,000 bytes and no more, until it is told to stop. */
  | "sip"
  /** Waits for a session, then reads to the end. */
  | "session"
  /** Writes, then aborts `writable`. */
  | "abort writable"
  /** Has a stream piped into `writable`, which fails after some data. */
  | "pipe that fails"
  /** As the one before, by `pipeTo` with a signal that aborts. */
  | "pipe that is aborted"
  /** Transfers the buffer of a waiting `read()` away once data is announced, then echoes. */
  | "detach"
  /** Clients: sends a request by `fetchOver()` and reads the response. */
  | "fetch";

/** How sessions are resumed, as JSON. Stores live in the victim, by their names. */
export type ResumptionSpec =
  | {
    mode: "stateful";
    secret: string;
    store: string;
    maxAge?: number;
    tickets?: number;
    memory?: number;
  }
  | { mode: "tickets"; secret: string; maxAge?: number; tickets?: number };

/** A server of the victim. */
export interface ServeInput {
  options: Omit<ServerContextOptions, "resumption" | "verify" | "sni">;
  resumption?: ResumptionSpec;
  /** Answers every name with the certificate of `options`, by an `sni` function. */
  resolver?: boolean;
  /** Options of `listenTls()`. */
  listen?: Record<string, number>;
  behaviour?: Behaviour;
}

/** A client of the victim. */
export interface ConnectInput {
  /** On 127.0.0.1, as `localhost`. */
  port: number;
  options: Omit<ClientContextOptions, "resumption" | "verify">;
  /** A pool over a store of this name. */
  store?: string;
  handshakeTimeout?: number;
  earlyData?: string;
  behaviour?: Behaviour;
  /** Milliseconds; for `fetch`. */
  headTimeout?: number;
}

/** What an error of any kind is to a test. */
export interface Failure {
  name: string;
  message: string;
  code?: string;
  alert?: string;
}

/** What became of a connection. */
export interface End {
  /** `null`: the handshake did not complete. */
  handshake: {
    protocol: string;
    resumed: boolean;
    earlyData: string;
    serverName: string | null;
    alpnProtocol: string | null;
  } | null;
  /** Why the session that was asked for was not resumed. */
  miss: string | null;
  /** How many bytes of data came. */
  received: number;
  /** Of `fetch`: the response. */
  body?: string;
  error: Failure | null;
}

/** What a victim can do to itself. */
export type Harm =
  /** Leaves a rejection uncaught. */
  | { how: "reject" }
  /** Lets no timer run for so many milliseconds of its thread's time. */
  | { how: "compute"; for: number }
  /** Lets no timer run any more. */
  | { how: "microtasks" };

/** Operations by name. */
export interface Operations {
  /** What runs here, such as `Deno 2.9.6`. */
  version(input: null): Promise<string>;
  /** Listens; a number by which the server is meant, and its port. */
  serve(input: ServeInput): Promise<{ server: number; port: number }>;
  /** The next connection of a server that ended, or did not come about. */
  ended(input: { server: number }): Promise<End>;
  /** How many connections of a server came to no good, by code; also once it was stopped. */
  failures(input: { server: number }): Promise<Record<string, number>>;
  /** Ends a server and its connections. */
  stop(input: { server: number }): Promise<null>;
  /** How many handshakes a server has begun and completed. */
  handshakes(input: { server: number }): Promise<{ begun: number; completed: number }>;
  /** Connects, and does what it is told to the connection's end. */
  connect(input: ConnectInput): Promise<End>;
  /** Connects to an honest server that echoes, and stays. */
  hold(input: ConnectInput): Promise<number>;
  /** Has bytes echoed over a connection that is held. */
  echo(input: { held: number }): Promise<null>;
  release(input: { held: number }): Promise<null>;
  /** How often a store was asked to put. */
  puts(input: { store: string }): Promise<number>;
  /** Moves the clock of the victim, by milliseconds, for good. */
  moveClock(input: { by: number }): Promise<null>;
  /** Does itself harm, for tests of the watch. */
  harm(input: Harm): Promise<null>;
  look(input: null): Promise<Vitals>;
  collect(input: null): Promise<null>;
}

export type Input<Name extends keyof Operations> = Parameters<Operations[Name]>[0];
export type Result<Name extends keyof Operations> = Awaited<ReturnType<Operations[Name]>>;

/** One call. */
export interface Call<Name extends keyof Operations = keyof Operations> {
  id: number;
  operation: Name;
  input: Input<Name>;
}

/** Its answer; or, without an id, a sign of life. */
export type Line = { id: number; result?: unknown; error?: string } | { beat: number };
