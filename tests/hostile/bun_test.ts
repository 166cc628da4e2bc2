/** The attacks on Bun. */

import { attack } from "./all.ts";

attack("Bun");
