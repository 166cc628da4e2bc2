/** The suite in Bun. */

import { testRuntime } from "./suite.ts";

Deno.test.sanitizer({ ops: false, resources: false });

testRuntime("Bun", /^Bun 1\./);
