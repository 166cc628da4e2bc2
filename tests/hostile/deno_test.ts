/** The attacks on Deno. */

import { MESSAGES } from "./attacks/messages.ts";
import { Suite } from "./suite.ts";

const suite = new Suite("Deno");
suite.test(MESSAGES);
