/**
 * A `fileStore` whose folder others write into, in Deno. `runtimes_test.ts` has the same in Node
 * and Bun.
 */

import { hostileFiles } from "./hostile_files.ts";
import { temporaryFolder } from "./register.ts";

Deno.test.sanitizer({ ops: true, resources: true });

for (const { name, fn } of hostileFiles) {
  Deno.test({
    name: `file: ${name}`,
    // There are no FIFOs, and links take a privilege.
    ignore: Deno.build.os === "windows",
    async fn() {
      const { path, remove } = await temporaryFolder();
      try {
        await fn(path);
      } finally {
        await remove();
      }
    },
  });
}
