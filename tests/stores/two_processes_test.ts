/**
 * Stores under two processes at once: each value goes to one caller of one of them.
 */

import { assertEquals } from "@std/assert";
import { runScript } from "../peers/process.ts";
import { needs } from "../skips.ts";
import { drain, living, name, partition, putAll, value } from "./contract_values.ts";
import { openStore, type Place, prepareStore } from "./open.ts";
import { type RedisServer, startRedis } from "./redis_server.ts";
import { temporaryFolder } from "./register.ts";
import type { TakerInput, TakerOutput } from "./two_processes_script.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const SCRIPT = new URL("./two_processes_script.ts", import.meta.url);

const redis = needs("redis");
let server: RedisServer;
Deno.test.beforeAll(async () => {
  if (!redis.ignore) server = await startRedis();
});
Deno.test.afterAll(async () => await server?.[Symbol.asyncDispose]());

/** A kind of store, and a place for each test. */
interface Kind {
  name: string;
  ignore?: boolean;
  place(): Promise<{ place: Place; remove(): Promise<void> }>;
}

const inFolder = (kind: "deno_kv" | "file" | "sqlite") => async () => {
  const { path, remove } = await temporaryFolder();
  return { place: { kind, path: `${path}/sessions` }, remove };
};

const atServer = (kind: "redis" | "ioredis") => () =>
  Promise.resolve({ place: { kind, port: server.port }, remove: () => Promise.resolve() });

const KINDS: Kind[] = [
  { name: "Deno KV", place: inFolder("deno_kv") },
  { name: "file", place: inFolder("file") },
  { name: "SQLite", place: inFolder("sqlite") },
  { name: "redis", place: atServer("redis"), ...redis },
  { name: "ioredis", place: atServer("ioredis"), ...redis },
];

/** Two processes put and take at once; what both got together. */
async function race(
  place: Place,
  own: string,
  options: Pick<TakerInput, "puts" | "takers">,
): Promise<TakerOutput[]> {
  const script = (self: string, other: string) =>
    runScript<TakerOutput>(SCRIPT, {
      flags: ["-A", "--unstable-kv"],
      input: { place, self, other, partition: own, limit: 10_000, ...options } satisfies TakerInput,
    });
  return await Promise.all([script("a", "b"), script("b", "a")]);
}

for (const kind of KINDS) {
  const test = (name: string, fn: (place: Place) => Promise<void>) =>
    Deno.test({
      name: `${kind.name}, two processes: ${name}`,
      ignore: kind.ignore ?? false,
      async fn() {
        const { place, remove } = await kind.place();
        prepareStore(place);
        try {
          await fn(place);
        } finally {
          await remove();
        }
      },
    });

  test("each of 200 values goes to one of 50 takers", async (place) => {
    const own = partition();
    const names = Array.from({ length: 200 }, (_, i) => `${i}`);
    const { store, close } = await openStore(place);
    await putAll(store, own, names);
    await close();
    const [a, b] = await race(place, own, { puts: 0, takers: 25 });
    assertEquals([...a.taken, ...b.taken].sort(), names.toSorted());
  });

  test("what both put while both take is taken once", async (place) => {
    const own = partition();
    const [a, b] = await race(place, own, { puts: 100, takers: 10 });
    const { store, close } = await openStore(place);
    const rest = await drain(store, own);
    await close();
    const expected = ["a", "b"].flatMap((self) =>
      Array.from({ length: 100 }, (_, i) => `${self} ${i}`)
    );
    assertEquals([...a.taken, ...b.taken, ...rest].sort(), expected.sort());
  });

  test("one value has one winner", async (place) => {
    const own = partition();
    const { store, close } = await openStore(place);
    await store.put(own, value("only"), living());
    const [a, b] = await race(place, own, { puts: 0, takers: 25 });
    assertEquals([...a.taken, ...b.taken], ["only"]);
    assertEquals(name(await store.peek(own)), null);
    await close();
  });
}
