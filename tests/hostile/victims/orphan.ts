/**
 * Ends a victim whose test is gone. A victim that computes without an end does not notice by itself,
 * so a thread beside it looks.
 *
 * @module
 */

import { Worker } from "node:worker_threads";

const LOOK_MS = 500;

/** Kills this process once its parent is another one than now. */
const WATCHING = `
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  }, ${LOOK_MS});
`;

/** Begins to look. */
export function endWithParent(): void {
  new Worker(WATCHING, { eval: true }).unref();
}
