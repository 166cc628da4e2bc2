/** The attacks on Node. */

import { attack } from "./all.ts";

attack("Node");
