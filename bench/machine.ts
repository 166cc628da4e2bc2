/**
 * Where a benchmark ran: numbers mean nothing without it.
 *
 * @module
 */

import os from "node:os";
import { programVersion } from "../tests/peers/child.ts";

/** Facts of the machine and the programs, none of which name it. */
export interface Machine {
  cpu: string;
  cores: number;
  system: string;
  deno: string;
  openssl: string;
  /** Processes that wanted a core in the last minute; near 0 is an idle machine. */
  load: number;
}

export function machine(): Machine {
  const version = programVersion("openssl", ["version"]) ?? "none";
  return {
    cpu: os.cpus()[0]?.model ?? "unknown",
    cores: navigator.hardwareConcurrency,
    system: `${Deno.build.os} ${Deno.build.arch}`,
    deno: `${Deno.version.deno}, V8 ${Deno.version.v8}`,
    openssl: version.split(" ")[1] ?? version.trim(),
    load: Deno.loadavg()[0],
  };
}
