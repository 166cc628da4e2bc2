/** The suite in Deno. */

import { testRuntime } from "./suite.ts";

Deno.test.sanitizer({ ops: false, resources: false });

testRuntime("Deno", /^Deno 2\./);
