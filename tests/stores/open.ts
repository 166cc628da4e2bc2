/**
 * Stores that two processes can open, by what can be said of them in JSON.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { denoKvStore } from "../../src/stores/deno_kv.ts";
import { fileStore } from "../../src/stores/file.ts";
import { whileLocked } from "../../src/stores/locked.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import type { StoreUnderTest } from "./contract.ts";

/** Where a store is. */
export type Place =
  | { kind: "deno_kv" | "file" | "sqlite"; path: string }
  | { kind: "redis" | "ioredis"; port: number };

/** Opens a store, in whichever process. */
export async function openStore(place: Place): Promise<StoreUnderTest> {
  switch (place.kind) {
    case "deno_kv": {
      // Of two processes that make the file at once one finds it locked.
      const kv = await whileLocked(() => Deno.openKv(place.path));
      return { store: denoKvStore(kv), close: () => kv.close() };
    }
    case "file":
      return { store: fileStore(place.path), close() {} };
    case "sqlite": {
      const database = new DatabaseSync(place.path);
      database.exec("PRAGMA synchronous = NORMAL");
      return { store: sqliteStore(database), close: () => database.close() };
    }
    case "redis": {
      const { createClient } = await import("./redis_clients.ts");
      const client = createClient({ url: `redis://127.0.0.1:${place.port}` });
      await client.connect();
      return { store: redisStore(client), close: () => client.close() };
    }
    case "ioredis": {
      const { Redis } = await import("./redis_clients.ts");
      const client = new Redis(place.port, "127.0.0.1");
      return {
        store: redisStore(client),
        async close() {
          await client.quit();
        },
      };
    }
  }
}

/** What is done once for a new file, before two processes open it. */
export function prepareStore(place: Place): void {
  if (place.kind !== "sqlite") return;
  const database = new DatabaseSync(place.path);
  database.exec("PRAGMA journal_mode = WAL");
  database.close();
}
