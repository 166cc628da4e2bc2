/**
 * What a case of the suite is.
 *
 * @module
 */

import type { Runtime } from "./runtime.ts";

/** One behaviour that every runtime has to show. */
export interface Case {
  /** Completes a sentence that begins with the runtime's name. */
  name: string;
  fn(runtime: Runtime): Promise<void>;
}
