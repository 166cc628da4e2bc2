/** The suite in browser. */

import { testRuntime } from "./suite.ts";

Deno.test.sanitizer({ ops: false, resources: false });

testRuntime("browser", /^Chromium \d+/);
