/**
 * Everything that a runtime is attacked with.
 *
 * @module
 */

import { testAcross } from "./across.ts";
import { ALERTS } from "./attacks/alerts.ts";
import { CALLERS } from "./attacks/callers.ts";
import { CHANGE_CIPHER_SPEC } from "./attacks/change_cipher_spec.ts";
import { CLIENT_HELLOS } from "./attacks/client_hellos.ts";
import { EARLY_DATA } from "./attacks/early_data.ts";
import { FINISHED } from "./attacks/finished.ts";
import { MESSAGES } from "./attacks/messages.ts";
import { NAMES } from "./attacks/names.ts";
import { RECORDS } from "./attacks/records.ts";
import { RESUMPTION } from "./attacks/resumption.ts";
import { SERVER_HELLOS } from "./attacks/server_hellos.ts";
import { TCP } from "./attacks/tcp.ts";
import { SERVER_TICKETS } from "./attacks/tickets.ts";
import { testChance } from "./chance.ts";
import { testCrowds } from "./crowds.ts";
import { Suite } from "./suite.ts";
import type { VictimRuntime } from "./victims/process.ts";

/** Registers all of it. */
export function attack(runtime: VictimRuntime): void {
  const suite = new Suite(runtime);
  suite.test(RECORDS);
  suite.test(MESSAGES);
  suite.test(ALERTS);
  suite.test(CHANGE_CIPHER_SPEC);
  suite.test(CLIENT_HELLOS);
  suite.test(NAMES);
  suite.test(SERVER_HELLOS);
  suite.test(FINISHED);
  suite.test(RESUMPTION);
  suite.test(SERVER_TICKETS);
  suite.test(EARLY_DATA);
  suite.test(TCP);
  suite.test(CALLERS);
  testAcross(suite);
  testChance(suite);
  testCrowds(suite);
}
