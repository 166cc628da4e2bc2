/** Starts a victim, has it compute without an end, and leaves it alone; says its process id. */

import { readInput, writeOutput } from "../../peers/process.ts";
import { Victim, type VictimRuntime } from "./process.ts";

const { runtime, bundle } = await readInput<{ runtime: VictimRuntime; bundle: string }>();
const victim = await Victim.start(runtime, { bundle });
victim.call("harm", { how: "microtasks" }).catch(() => {});
// The call is on its way.
await new Promise((resolve) => setTimeout(resolve, 100));
writeOutput(victim.pid);
Deno.exit();
