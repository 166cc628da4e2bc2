/** The suite in Node. */

import { testRuntime } from "./suite.ts";

Deno.test.sanitizer({ ops: false, resources: false });

testRuntime("Node", /^Node \d+/);
