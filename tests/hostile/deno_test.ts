/** The attacks on Deno. */

import { TCP } from "./attacks/tcp.ts";
import { CALLERS } from "./attacks/callers.ts";
import { Suite } from "./suite.ts";

const suite = new Suite("Deno");
suite.test(CALLERS);
suite.test(TCP);
