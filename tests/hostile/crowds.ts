/**
 * Many clients at once that say nothing, half of something, or too much: what they hold, and whom they
 * keep waiting.
 *
 * Rules: nothing is timed. An honest client that would have to wait for somebody's time limit would
 * wait for a minute, and fails after 20 seconds. Bounds are on what one client may hold, times their
 * number, and on what an instance of the engine takes before it has any client.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { serverCert } from "../testdata/mod.ts";
import {
  type ByteStream,
  Client,
  connectTcp,
  extensions,
  type Version,
  VERSIONS,
} from "./attacker/mod.ts";
import { HonestClient } from "./honest.ts";
import type { Suite } from "./suite.ts";
import type { Victim } from "./victims/process.ts";
import type { End, ServeInput } from "./victims/protocol.ts";
import { assertUnharmed, Watch } from "./watch.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** For handshakes: far beyond what anybody waits for here. */
const MINUTE_MS = 60_000;

/** What several instances of the engine take before they have clients. */
const INSTANCES = 8 * MiB;

/** A server of a victim, for a test that owns the victim. */
async function serve(
  victim: Victim,
  listen: Record<string, number> = {},
  more: Partial<ServeInput> = {},
): Promise<{ server: number; port: number }> {
  return await victim.call("serve", {
    options: serverCert("ec_p256"),
    listen: { handshakeTimeout: MINUTE_MS, maxPending: 10_000, ...listen },
    ...more,
  });
}

/** Connects so many times, a few at once. */
async function crowd<T>(count: number, connect: (index: number) => Promise<T>): Promise<T[]> {
  const AT_ONCE = 50;
  const all: T[] = [];
  for (let begun = 0; begun < count; begun += AT_ONCE) {
    const length = Math.min(AT_ONCE, count - begun);
    all.push(...await Promise.all(Array.from({ length }, (_, i) => connect(begun + i))));
  }
  return all;
}

function closeAll(streams: readonly ByteStream[]): void {
  for (const stream of streams) stream.close();
}

/** Waits until a server has begun, or completed, so many handshakes. */
async function reached(
  victim: Victim,
  server: number,
  what: "begun" | "completed",
  count: number,
): Promise<void> {
  let seen = 0;
  const ask = async () => {
    seen = (await victim.call("handshakes", { server }))[what];
  };
  while (seen < count) {
    await ask();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The end of the next connection that came to no good. */
async function nextFailure(victim: Victim, server: number): Promise<End> {
  for (;;) {
    const end = await victim.call("ended", { server });
    if (end.error !== null) return end;
  }
}

/** A hello as long as servers take it, without its end. */
async function halfHello(port: number, version: Version): Promise<ByteStream> {
  const client = await Client.connect(port, {
    versions: [version],
    hello: (hello) => hello.extensions.unshift(extensions.unknownExtension(59_000)),
    rewrite: (message) => message.subarray(0, -100),
  });
  await client.handshake("client_hello");
  return client.stream;
}

/** What so many clients of a kind may hold together. */
interface Crowd {
  name: string;
  clients: number;
  each: number;
  connect(port: number, version: Version): Promise<ByteStream>;
  /** Whether their handshakes complete. */
  complete?: boolean;
  more?: Partial<ServeInput>;
}

const CROWDS: Crowd[] = [
  {
    name: "have sent nothing",
    clients: 2_000,
    each: 8 * KiB,
    connect: (port) => connectTcp(port),
  },
  {
    name: "have sent ten bytes",
    clients: 2_000,
    each: 8 * KiB,
    async connect(port, version) {
      const client = await Client.connect(port, {
        versions: [version],
        rewrite: (message) => message.subarray(0, 5),
      });
      await client.handshake("client_hello");
      return client.stream;
    },
  },
  {
    name: "are amid a hello of 60,000 bytes",
    clients: 300,
    each: 96 * KiB,
    connect: halfHello,
  },
  {
    name: "are silent after the handshake",
    clients: 300,
    each: 32 * KiB,
    complete: true,
    async connect(port, version) {
      const client = await Client.connect(port, { versions: [version] });
      await client.handshake();
      return client.stream;
    },
  },
  {
    name: "sent more than was read of them",
    clients: 300,
    each: 64 * KiB,
    complete: true,
    more: { behaviour: "sip" },
    async connect(port, version) {
      const client = await Client.connect(port, { versions: [version] });
      await client.handshake();
      client.stream.write(client.data(new Uint8Array(400_000))).catch(() => {});
      return client.stream;
    },
  },
];

/** Registers the tests of a runtime. */
export function testCrowds(suite: Suite): void {
  const { runtime } = suite;

  for (const version of VERSIONS) {
    for (const { name, clients, each, connect, complete = false, more } of CROWDS) {
      const what = `${clients} clients that ${name} hold ${each / KiB} KiB each at most`;
      Deno.test(`${runtime}: ${version}: ${what}`, async () => {
        const victim = await suite.victim(true);
        const { server, port } = await serve(victim, {}, more);
        const wasm = clients * each + INSTANCES;
        const watch = await Watch.begin(victim, { wasm, rss: Infinity });
        const streams = await crowd(clients, () => connect(port, version));
        const what = complete ? "completed" : "begun";
        await victim.guard(reached(victim, server, what, clients), "the handshakes");
        await watch.look();
        if (more === undefined) await HonestClient.visit(port);
        closeAll(streams);
        await victim.call("stop", { server });
        await watch.end();
      });
    }
  }

  Deno.test(`${runtime}: memory that 300 clients took goes back when they are gone`, async () => {
    const CLIENTS = 300;
    const victim = await suite.victim(true);
    const { server, port } = await serve(victim);
    const watch = await Watch.begin(victim, { wasm: INSTANCES, rss: Infinity });
    const streams = await crowd(CLIENTS, () => halfHello(port, "TLSv1.3"));
    await victim.guard(reached(victim, server, "begun", CLIENTS), "the handshakes");
    closeAll(streams);
    await victim.call("stop", { server });
    // A later connection may be what it takes to notice.
    const later = await serve(victim);
    await HonestClient.visit(later.port);
    await victim.call("stop", { server: later.server });
    await victim.collect();
    await watch.end();
  });

  Deno.test(`${runtime}: clients that exhaust wasm memory take nobody with them`, async () => {
    const PAGES = 512; // 32 MiB
    const CLIENTS = 800;
    await using victim = await suite.start({ pages: PAGES });
    const { server, port } = await serve(victim);
    using innocent = await HonestClient.open(port);
    await innocent.echo();
    const streams = await crowd(CLIENTS, async () => {
      try {
        return await halfHello(port, "TLSv1.3");
      } catch {
        return undefined; // refused
      }
    });
    await victim.guard(innocent.echo(), "an innocent connection goes on");
    await victim.guard(HonestClient.visit(port), "an honest client is served");
    closeAll(streams.filter((stream) => stream !== undefined));
    await innocent.echo();
    await HonestClient.visit(port);
    await victim.call("stop", { server });
    // Either there was no room for them, or they went before their handshake was over.
    const REFUSED = ["ERR_TLS_OUT_OF_MEMORY", "ERR_TLS_OVERLOADED"];
    const GONE = ["ERR_TLS_TRUNCATED", "ERR_TLS_TRANSPORT"];
    const told = await victim.call("failures", { server });
    const others = Object.keys(told).filter((code) => ![...REFUSED, ...GONE].includes(code));
    assertEquals(others, []);
    assertUnharmed(await victim.look());
  });

  Deno.test(`${runtime}: clients that have sent nothing make room for honest ones`, async () => {
    const PLACES = 50;
    const victim = await suite.victim();
    const { server, port } = await serve(victim, { maxPending: PLACES });
    const streams = await crowd(2 * PLACES, () => connectTcp(port));
    await victim.guard(HonestClient.visit(port), "an honest client is served");
    // Those who went are told of.
    assertEquals((await nextFailure(victim, server)).error?.code, "ERR_TLS_OVERLOADED");
    closeAll(streams);
    await victim.call("stop", { server });
  });

  Deno.test(`${runtime}: 4,000 silent clients keep nobody waiting`, async () => {
    const victim = await suite.victim();
    const { server, port } = await serve(victim, { maxPending: 1_000 });
    const watch = await Watch.begin(victim, { wasm: 32 * MiB, rss: 256 * MiB });
    const streams = await crowd(4_000, () => connectTcp(port));
    for (let visits = 0; visits < 20; visits++) {
      await victim.guard(HonestClient.visit(port), "an honest client is served");
    }
    const { descriptors } = await victim.look();
    if (descriptors !== null) assert(descriptors < 1_500, `${descriptors} descriptors are open`);
    closeAll(streams);
    await victim.call("stop", { server });
    await watch.end();
  });

  Deno.test(`${runtime}: 6,000 silent clients keep nobody waiting, and hold few sockets`, async () => {
    const victim = await suite.victim();
    const { server, port } = await serve(victim, { maxPending: 1_000 });
    const streams = await crowd(6_000, () => connectTcp(port));
    for (let visits = 0; visits < 20; visits++) {
      await victim.guard(HonestClient.visit(port), "an honest client is served");
    }
    // Whoever was refused was told of.
    const { ERR_TLS_OVERLOADED = 0 } = await victim.call("failures", { server });
    assert(ERR_TLS_OVERLOADED > 0);
    closeAll(streams);
    await victim.call("stop", { server });
    assertUnharmed(await victim.look());
  });

  Deno.test(`${runtime}: NEW OPTION helloTimeout: a client that sends no hello is left`, async () => {
    const victim = await suite.victim();
    const { server, port } = await serve(victim, { helloTimeout: 500 });
    const stream = await connectTcp(port);
    const { error } = await nextFailure(victim, server);
    assertEquals(error?.code, "ERR_TLS_HANDSHAKE_TIMEOUT");
    assertEquals(await stream.read(), null);
    // A hello that came in time has the whole time of a handshake.
    const client = await Client.connect(port);
    await client.handshake("client_hello");
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await client.handshake();
    await client.echo();
    await client.bye();
    stream.close();
    await victim.call("stop", { server });
  });
}
