/**
 * A runtime under test: what it is called, how it is asked, how it is restarted.
 *
 * @module
 */

import type { Ask, ServeInput } from "./protocol.ts";

/** A running runtime. */
export interface Runtime extends AsyncDisposable {
  /** As in the tables. */
  readonly name: string;
  /** Has the agent do something; rejects where the agent itself fails. */
  readonly call: Ask;
  /** Serves; the port on 127.0.0.1 by which the runtime's server is reached. */
  serve(input: ServeInput): Promise<number>;
  /** Ends the process and starts another one, with the same store. */
  restart(): Promise<void>;
}

/** The names of {@linkcode startRuntime}. */
export type RuntimeName = "Deno" | "Node" | "Node LTS" | "Bun" | "workerd" | "browser";

/** Those of the tables. */
export const TABLE: readonly RuntimeName[] = ["Deno", "Bun", "Node", "workerd", "browser"];
