/**
 * Another server with the same secret: says which keys it has.
 *
 * @module
 */

import { TicketKeys } from "../../mod.ts";
import { movedClock } from "../interop/clock.ts";
import { readInput, writeOutput } from "../peers/process.ts";
import { HOUR } from "./ring.ts";

const { secret, now } = await readInput<{ secret: number[]; now: number }>();
movedClock().set(now);
const keys = await TicketKeys.fromSecret(Uint8Array.from(secret), { rotateEvery: HOUR });
writeOutput(keys.ids);
