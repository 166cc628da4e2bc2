/** The suite in workerd. */

import { testRuntime } from "./suite.ts";

Deno.test.sanitizer({ ops: false, resources: false });

testRuntime("workerd", /^workerd$/);
