/** The attacks on Deno. */

import { attack } from "./all.ts";

attack("Deno");
