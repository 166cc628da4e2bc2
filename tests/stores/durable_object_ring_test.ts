/**
 * Guards: a ring of ticket keys in a Durable Object: what compare-and-set promises, in workerd and
 * across its restart; and that no object has both a ring and sessions, or loses a ring.
 */

import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { SealingKeys, TicketKeys } from "../../mod.ts";
import {
  type DurableNamespace,
  durableObjectKeyRing,
  durableObjectStore,
  type DurableStorage,
  SessionStoreObject,
} from "../../src/stores/durable_object.ts";
import { contents } from "../keys/ring.ts";
import { bundleRingWorker, KINDS, type RingWorkerd, startRingWorkerd } from "./ring_workerd.ts";

// The connections to workerd are those of fetch, which keeps them beyond a test.
Deno.test.sanitizer({ ops: false, resources: false });

const LIMIT = 128 * 1024 - 512;

let folder: string;
let script: string;
let workerd: RingWorkerd;
Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir({ prefix: "reprise-ring-" });
  script = await bundleRingWorker();
  workerd = await startRingWorkerd(script, folder);
});
Deno.test.afterAll(async () => {
  await workerd?.[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
});

const value = (n: number) => new Uint8Array([n, 0, 255, n]);

for (const kind of KINDS) {
  const ring = (name: string) => workerd.ring(kind, name);

  Deno.test(`${kind}: nothing is there until it is set, and then what was set`, async () => {
    const store = ring("first");
    assertEquals(await store.load(), null);
    assertEquals(await store.compareAndSet(null, value(1)), true);
    const first = (await store.load())!;
    assertEquals(first.value, value(1));
    assertEquals(await store.compareAndSet(first.version, value(2)), true);
    const second = (await store.load())!;
    assertEquals(second.value, value(2));
    assertNotEquals(second.version, first.version);
  });

  Deno.test(`${kind}: a version that has passed, or never was, changes nothing`, async () => {
    const store = ring("versions");
    for (const version of ["1", "0", ""]) {
      assertEquals(await store.compareAndSet(version, value(9)), false);
    }
    assertEquals(await store.load(), null);
    await store.compareAndSet(null, value(1));
    const { version } = (await store.load())!;
    await store.compareAndSet(version, value(2));
    const now = await store.load();
    for (const old of [version, "0", "", "x", `${now!.version} `, `0${now!.version}`]) {
      assertEquals(await store.compareAndSet(old, value(9)), false, old);
    }
    assertEquals(await store.load(), now);
  });

  Deno.test(`${kind}: no version only makes a ring, and replaces none`, async () => {
    const store = ring("null");
    assertEquals(await store.compareAndSet(null, value(1)), true);
    assertEquals(await store.compareAndSet(null, value(2)), false);
    assertEquals((await store.load())!.value, value(1));
  });

  Deno.test(`${kind}: of twenty at once one wins, and again at the next version`, async () => {
    const store = ring("races");
    let version: string | null = null;
    for (let round = 0; round < 3; round++) {
      const won = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.compareAndSet(version, value(i))),
      );
      assertEquals(won.filter((each) => each).length, 1, `round ${round}`);
      const loaded = (await store.load())!;
      assertEquals(loaded.value, value(won.indexOf(true)));
      version = loaded.version;
    }
  });

  Deno.test(`${kind}: rings of different names do not meet`, async () => {
    await ring("a").compareAndSet(null, value(1));
    assertEquals(await ring("b").load(), null);
    await ring("b").compareAndSet(null, value(2));
    assertEquals((await ring("a").load())!.value, value(1));
  });

  Deno.test(`${kind}: a value of 127.5 KiB is kept, a larger one refused and told`, async () => {
    const store = ring("size");
    const largest = new Uint8Array(LIMIT).map((_, i) => i * 7);
    assertEquals(await store.compareAndSet(null, largest), true);
    const kept = (await store.load())!;
    assertEquals(kept.value, largest);
    await assertRejects(
      () => store.compareAndSet(kept.version, new Uint8Array(LIMIT + 1)),
      Error,
      `${LIMIT} bytes at most, got ${LIMIT + 1}`,
    );
    const past = `PUT /ring?version=${kept.version}`;
    assertEquals(await workerd.object(kind, "size", past, "x".repeat(LIMIT + 1)), 413);
    assertEquals(await store.load(), kept);
  });

  Deno.test(`${kind}: an object with a ring takes no sessions, and loses it to nothing`, async () => {
    const store = ring("mixed");
    await store.compareAndSet(null, value(1));
    const expires = Date.now() + 60_000;
    for (const request of ["GET /", "DELETE /?take", "DELETE /"]) {
      assertEquals(await workerd.object(kind, "mixed", request), 409, request);
    }
    const put = `POST /?expires=${expires}&limit=1`;
    assertEquals(await workerd.object(kind, "mixed", put, "session"), 409);
    assertEquals((await store.load())!.value, value(1));
  });

  Deno.test(`${kind}: an object with sessions takes no ring`, async () => {
    const put = `POST /?expires=${Date.now() + 60_000}&limit=2`;
    assertEquals(await workerd.object(kind, "sessions", put, "session"), 204);
    await assertRejects(() => ring("sessions").load(), Error, "sessions");
    await assertRejects(() => ring("sessions").compareAndSet(null, value(1)), Error, "sessions");
    assertEquals(await workerd.object(kind, "sessions", "GET /"), 200);
  });

  Deno.test(`${kind}: what a ring is not asked for is refused`, async () => {
    for (const method of ["POST", "DELETE"]) {
      assertEquals(await workerd.object(kind, "methods", `${method} /ring`), 405);
    }
  });

  Deno.test(`${kind}: servers that start at once agree on one ring`, async () => {
    const keys = await SealingKeys.generate();
    const fleet = await Promise.all(
      Array.from({ length: 5 }, () => TicketKeys.shared(ring("fleet"), { keys })),
    );
    for (const { ids } of fleet) assertEquals(ids, fleet[0].ids);
    const { value } = (await ring("fleet").load())!;
    for (const { key } of contents(fleet[0])) assert(!value.toHex().includes(key.toHex()));
  });
}

Deno.test("a restart of workerd keeps the ring and its version", async () => {
  const before = await Promise.all(KINDS.map(async (kind) => {
    const store = workerd.ring(kind, "kept");
    await store.compareAndSet(null, value(1));
    await store.compareAndSet((await store.load())!.version, value(2));
    return await store.load();
  }));
  await workerd[Symbol.asyncDispose]();
  workerd = await startRingWorkerd(script, folder);
  for (const [i, kind] of KINDS.entries()) {
    const store = workerd.ring(kind, "kept");
    assertEquals(await store.load(), before[i]);
    assertEquals(before[i]!.value, value(2));
    assertEquals(await store.compareAndSet(null, value(3)), false);
    assertEquals(await store.compareAndSet(before[i]!.version, value(3)), true);
  }
});

/** A namespace of objects in memory: their storage is plain. */
function inMemory() {
  const objects = new Map<string, { object: SessionStoreObject; entries: Map<string, unknown> }>();
  const namespace: DurableNamespace<string> = {
    idFromName: (name) => name,
    get: (id) => ({
      fetch: (url, init) => object(id).object.fetch(new Request(url, init)),
    }),
  };
  function object(id: string) {
    const entries = new Map<string, unknown>();
    const storage: DurableStorage = {
      list<T>({ reverse, limit }: { reverse?: boolean; limit?: number } = {}) {
        const sorted = [...entries].sort(([a], [b]) => a < b ? -1 : 1);
        if (reverse) sorted.reverse();
        return Promise.resolve(new Map(sorted.slice(0, limit)) as Map<string, T>);
      },
      put: (key, value) => Promise.resolve(void entries.set(key, value)),
      delete: (keys) => Promise.resolve(keys.forEach((key) => entries.delete(key))),
      deleteAll: () => Promise.resolve(entries.clear()),
      setAlarm: () => Promise.resolve(),
    };
    const made = objects.get(id) ?? { object: new SessionStoreObject({ storage }), entries };
    objects.set(id, made);
    return made;
  }
  return { namespace, object, objects };
}

Deno.test("an alarm removes no ring", async () => {
  const { namespace, objects } = inMemory();
  const ring = durableObjectKeyRing(namespace);
  await ring.compareAndSet(null, value(1));
  const [{ object }] = objects.values();
  await object.alarm();
  assertEquals((await ring.load())!.value, value(1));
});

Deno.test("a ring and sessions under one binding are in objects of their own", async () => {
  const { namespace, objects } = inMemory();
  const keys = await SealingKeys.generate();
  await TicketKeys.shared(durableObjectKeyRing(namespace), { keys });
  await durableObjectStore(namespace).put("partition", value(1), {
    expiresAt: Date.now() + 1000,
    limit: 1,
  });
  assertEquals([...objects.keys()].sort(), ["partition", "ring/ticket keys"]);
});

Deno.test("a partition that has the name of a ring's object is refused", async () => {
  const { namespace } = inMemory();
  await durableObjectKeyRing(namespace, "x").compareAndSet(null, value(1));
  const store = durableObjectStore(namespace);
  await assertRejects(() => store.take("ring/x"), Error, "409");
  await assertRejects(() => store.delete("ring/x"), Error, "409");
});

Deno.test("what is loaded can be changed, and the ring stays", async () => {
  const { namespace } = inMemory();
  const ring = durableObjectKeyRing(namespace);
  const given = value(1);
  await ring.compareAndSet(null, given);
  given.fill(7);
  (await ring.load())!.value.fill(9);
  assertEquals((await ring.load())!.value, value(1));
});

Deno.test("an answer that is an error rejects, and one without a version", async () => {
  const answering = (response: () => Response): DurableNamespace => ({
    idFromName: (name) => name,
    get: () => ({ fetch: () => Promise.resolve(response()) }),
  });
  const down = durableObjectKeyRing(answering(() => new Response("overloaded", { status: 503 })));
  await assertRejects(() => down.load(), Error, "503");
  await assertRejects(() => down.compareAndSet(null, value(1)), Error, "503");
  const other = durableObjectKeyRing(answering(() => new Response("value")));
  await assertRejects(() => other.load(), Error, "version");
});

const BAD: [string, () => unknown][] = [
  ["namespace", () => durableObjectKeyRing(null as unknown as DurableNamespace)],
  ["namespace", () => durableObjectKeyRing({} as DurableNamespace)],
  ["name", () => durableObjectKeyRing(inMemory().namespace, "")],
  ["name", () => durableObjectKeyRing(inMemory().namespace, 1 as unknown as string)],
];

for (const [i, [name, make]] of BAD.entries()) {
  Deno.test(`bad argument ${i}: "${name}" is named`, () => {
    assertThrows(make, TypeError, `"${name}"`);
  });
}

Deno.test("a value that is no Uint8Array, or a version that is no string, is refused", async () => {
  const ring = durableObjectKeyRing(inMemory().namespace);
  const text = "ring" as unknown as Uint8Array;
  await assertRejects(() => ring.compareAndSet(null, text), TypeError, '"value"');
  for (const version of [1, undefined] as unknown as string[]) {
    await assertRejects(() => ring.compareAndSet(version, value(1)), TypeError, '"version"');
  }
  assertEquals(await ring.load(), null);
});
