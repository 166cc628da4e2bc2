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

/** Connections of clients; disposing closes those that are left. */
class Connected implements Disposable {
  readonly #streams: ByteStream[] = [];

  private constructor() {}

  /** Connects so many times, a few at once. Those whose `connect` gives nothing are not kept. */
  static async open(
    count: number,
    connect: () => Promise<ByteStream | undefined>,
  ): Promise<Connected> {
    const AT_ONCE = 50;
    const connected = new Connected();
    try {
      for (let begun = 0; begun < count; begun += AT_ONCE) {
        const length = Math.min(AT_ONCE, count - begun);
        const some = await Promise.all(Array.from({ length }, connect));
        connected.#streams.push(...some.filter((stream) => stream !== undefined));
      }
      return connected;
    } catch (error) {
      connected.close();
      throw error;
    }
  }

  close(): void {
    for (const stream of this.#streams.splice(0)) stream.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
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
  try {
    await client.handshake("client_hello");
  } catch (error) {
    client.stream.close();
    throw error;
  }
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
        using crowd = await Connected.open(clients, () => connect(port, version));
        const what = complete ? "completed" : "begun";
        await victim.guard(reached(victim, server, what, clients), "the handshakes");
        await watch.look();
        if (more === undefined) await HonestClient.visit(port);
        crowd.close();
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
    using crowd = await Connected.open(CLIENTS, () => halfHello(port, "TLSv1.3"));
    await victim.guard(reached(victim, server, "begun", CLIENTS), "the handshakes");
    crowd.close();
    await victim.call("stop", { server });
    // A later connection may be what it takes to notice.
    const later = await serve(victim);
    await HonestClient.visit(later.port);
    await victim.call("stop", { server: later.server });
    await watch.endCollected();
  });

  Deno.test(`${runtime}: clients that exhaust wasm memory take nobody with them`, async () => {
    const PAGES = 512; // 32 MiB
    const CLIENTS = 800;
    await using victim = await suite.start({ pages: PAGES });
    const { server, port } = await serve(victim);
    using innocent = await HonestClient.open(port);
    await innocent.echo();
    using crowd = await Connected.open(CLIENTS, async () => {
      try {
        return await halfHello(port, "TLSv1.3");
      } catch {
        return undefined; // refused
      }
    });
    await victim.guard(innocent.echo(), "an innocent connection goes on");
    await victim.guard(HonestClient.visit(port), "an honest client is served");
    crowd.close();
    await innocent.echo();
    await HonestClient.visit(port);
    await victim.call("stop", { server });
    // Either there was no room for them, or they or the server went before their handshake was over.
    const REFUSED = ["ERR_TLS_OUT_OF_MEMORY", "ERR_TLS_OVERLOADED"];
    const GONE = ["ERR_TLS_TRUNCATED", "ERR_TLS_TRANSPORT", "ERR_TLS_CLOSED"];
    const told = await victim.call("failures", { server });
    const others = Object.keys(told).filter((code) => ![...REFUSED, ...GONE].includes(code));
    assertEquals(others, []);
    assertUnharmed(await victim.look());
  });

  Deno.test(`${runtime}: clients that have sent nothing make room for honest ones`, async () => {
    const PLACES = 50;
    const victim = await suite.victim();
    const { server, port } = await serve(victim, { maxPending: PLACES });
    using crowd = await Connected.open(2 * PLACES, () => connectTcp(port));
    await victim.guard(HonestClient.visit(port), "an honest client is served");
    // Those who went are told of.
    assertEquals((await nextFailure(victim, server)).error?.code, "ERR_TLS_OVERLOADED");
    crowd.close();
    await victim.call("stop", { server });
  });

  Deno.test(`${runtime}: 5,000 silent clients keep nobody waiting, and hold few sockets`, async () => {
    // More than a server may keep for later: `node:net` cannot leave them with the system.
    const CLIENTS = 5_000;
    const PLACES = 500;
    const victim = await suite.victim();
    const { server, port } = await serve(victim, { maxPending: PLACES });
    const watch = await Watch.begin(victim, { wasm: 16 * MiB, rss: 256 * MiB });
    using crowd = await Connected.open(CLIENTS, () => connectTcp(port));
    for (let visits = 0; visits < 20; visits++) {
      await victim.guard(HonestClient.visit(port), "an honest client is served");
    }
    const { descriptors } = await victim.look();
    if (descriptors !== null) assert(descriptors < 2 * PLACES, `${descriptors} are open`);
    // Whoever was refused was told of.
    const { ERR_TLS_OVERLOADED = 0 } = await victim.call("failures", { server });
    assert(ERR_TLS_OVERLOADED > 0);
    crowd.close();
    await victim.call("stop", { server });
    await watch.end();
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
