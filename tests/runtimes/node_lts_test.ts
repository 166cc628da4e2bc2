/** The suite in Node LTS. */

import { testRuntime } from "./suite.ts";

Deno.test.sanitizer({ ops: false, resources: false });

testRuntime("Node LTS", /^Node 24\./);
