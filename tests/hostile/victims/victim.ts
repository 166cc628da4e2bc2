/**
 * A victim: does what a test asks with the library as its runtime has it, and says how it is.
 *
 * Rules: no built-in module of any runtime but by `vitals.ts`, nothing that Node 20 lacks; types only
 * from the sources, so that a bundle holds the library once, and as its user gets it.
 *
 * @module
 */

import type * as Reprise from "../../../mod.ts";
import type { fetchOver } from "../../../src/http/mod.ts";
import { collectGarbage, compute, VitalSigns } from "../vitals.ts";
import { behave, type Yield } from "./behaviours.ts";
import type { ConnectInput, End, Failure, Operations, ResumptionSpec } from "./protocol.ts";

/** What differs between runtimes. */
export interface Platform {
  library: typeof Reprise;
  fetchOver: typeof fetchOver;
  version: string;
}

/** What a test asked a store to hold, and how often. */
interface CountedStore {
  store: Reprise.SessionStore;
  puts: number;
}

interface Serving {
  listener: Reprise.TlsListener;
  context: Reprise.ServerContext;
  conns: Set<Reprise.TlsConn>;
  ends: End[];
  changed: () => void;
  change: Promise<void>;
  stopped: () => void;
}

const fromHex = (hex: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));

function failure(error: unknown): Failure {
  const { name, message, code, alert } = error as Failure;
  return { name, message: message ?? String(error), code, alert };
}

/** As `Promise.withResolvers()`, which Node 20 lacks. */
function signal(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => resolve = settle);
  return { promise, resolve };
}

/** Makes the victim of a runtime. */
export function makeVictim({ library, fetchOver, version }: Platform): Operations {
  const signs = new VitalSigns();
  const stores = new Map<string, CountedStore>();
  const servers = new Map<number, Serving>();
  const held = new Map<number, Reprise.TlsConn>();
  const failed = new Map<number, Record<string, number>>();
  const poolKeys = library.SealingKeys.generate();
  let next = 1;

  function counted(name: string): CountedStore {
    const known = stores.get(name);
    if (known !== undefined) return known;
    const inner = library.memoryStore({ maxPartitions: 100_000 });
    const counted: CountedStore = {
      puts: 0,
      store: {
        // As a store that does not forget when the process starts: early data wants one.
        capabilities: { atomicTake: true, consistency: "strong" },
        put(...args) {
          counted.puts++;
          return inner.put(...args);
        },
        take: (partition) => inner.take(partition),
        peek: (partition) => inner.peek(partition),
        delete: (partition) => inner.delete(partition),
      },
    };
    stores.set(name, counted);
    return counted;
  }

  async function resumption(
    spec: ResumptionSpec | undefined,
  ): Promise<Reprise.ServerContextOptions["resumption"]> {
    if (spec === undefined) return undefined;
    const { secret, ...rest } = spec;
    const bytes = fromHex(secret);
    if (rest.mode === "tickets") {
      return { ...rest, ticketKeys: await library.TicketKeys.fromSecret(bytes) };
    }
    const { store: name, ...options } = rest;
    const keys = await library.SealingKeys.fromSecret(bytes);
    return { ...options, keys, store: counted(name).store };
  }

  /** Lives with a connection to its end, and closes it. */
  async function live(
    conn: Reprise.TlsConn,
    { behaviour = "echo", headTimeout }: Pick<ConnectInput, "behaviour" | "headTimeout">,
    stopped: Promise<void>,
  ): Promise<End> {
    const { protocol, resumed, earlyData, serverName, alpnProtocol } = await conn.handshake();
    const into: Yield = { received: 0 };
    let error: Failure | null = null;
    try {
      await behave(behaviour, conn, into, { fetchOver, headTimeout, stopped });
    } catch (thrown) {
      error = failure(thrown);
    }
    await conn.close();
    const handshake = { protocol, resumed, earlyData, serverName, alpnProtocol };
    return { handshake, miss: conn.sessionMiss, ...into, error };
  }

  async function connect(
    { port, options, store, handshakeTimeout = 20_000, earlyData }: ConnectInput,
  ): Promise<Reprise.TlsConn> {
    const pool = store === undefined ? undefined : {
      store: counted(store).store,
      keys: await poolKeys,
    };
    return await library.connectTls({
      hostname: "127.0.0.1",
      serverName: "localhost",
      port,
      context: new library.ClientContext({ ...options, ...(pool && { resumption: pool }) }),
      handshakeTimeout,
      ...(earlyData !== undefined && { earlyData: new TextEncoder().encode(earlyData) }),
    });
  }

  const serving = (server: number) => servers.get(server)!;
  const holding = (id: number) => held.get(id)!;

  return {
    version: () => Promise.resolve(version),

    async serve({ options, resumption: spec, resolver, listen, behaviour }) {
      const { cert, key, ...rest } = options;
      const credential = resolver
        ? { sni: () => ({ cert: cert!, key: key! }) }
        : { ...(cert && { cert }), ...(key && { key }) };
      const context = new library.ServerContext({
        ...rest,
        ...credential,
        resumption: await resumption(spec),
      });
      const server = next++;
      const codes: Record<string, number> = {};
      failed.set(server, codes);
      const stop = signal();
      const conns = new Set<Reprise.TlsConn>();
      const end = (each: End) => {
        self.ends.push(each);
        const code = each.error?.code ?? each.error?.name;
        if (code !== undefined) codes[code] = (codes[code] ?? 0) + 1;
        self.changed();
        const { promise, resolve } = signal();
        self.change = promise;
        self.changed = resolve;
      };
      const listener = library.listenTls({
        hostname: "127.0.0.1",
        port: 0,
        handshakeTimeout: 20_000,
        ...listen,
        context,
        onError: (error) =>
          end({ handshake: null, miss: null, received: 0, error: failure(error) }),
      });
      const first = signal();
      const self: Serving = {
        listener,
        context,
        conns,
        ends: [],
        change: first.promise,
        changed: first.resolve,
        stopped: stop.resolve,
      };
      (async () => {
        for await (const conn of listener) {
          conns.add(conn);
          live(conn, { behaviour }, stop.promise).then((each) => {
            conns.delete(conn);
            end(each);
          });
        }
      })();
      const { port } = await listener.listening;
      servers.set(server, self);
      return { server, port };
    },

    async ended({ server }) {
      const self = serving(server);
      while (self.ends.length === 0) await self.change;
      return self.ends.shift()!;
    },

    failures: ({ server }) => Promise.resolve(failed.get(server) ?? {}),

    async stop({ server }) {
      const self = serving(server);
      servers.delete(server);
      self.stopped();
      const closing = self.listener.close();
      await Promise.all(Array.from(self.conns, (conn) => conn.close()));
      await closing;
      return null;
    },

    handshakes({ server }) {
      const { accept, acceptGood } = serving(server).context.stats();
      return Promise.resolve({ begun: accept, completed: acceptGood });
    },

    async connect(input) {
      let conn: Reprise.TlsConn;
      try {
        conn = await connect(input);
      } catch (error) {
        return { handshake: null, miss: null, received: 0, error: failure(error) };
      }
      return await live(conn, input, new Promise(() => {}));
    },

    async hold(input) {
      const conn = await connect(input);
      held.set(next, conn);
      return next++;
    },

    async echo({ held: id }) {
      const conn = holding(id);
      const bytes = crypto.getRandomValues(new Uint8Array(32));
      await conn.write(bytes);
      const back = new Uint8Array(32);
      for (let at = 0; at < back.length;) {
        const n = await conn.read(back.subarray(at));
        if (n === null) throw new Error("The honest connection has ended");
        at += n;
      }
      if (bytes.some((byte, i) => byte !== back[i])) throw new Error("Other bytes came back");
      return null;
    },

    async release({ held: id }) {
      await holding(id).close();
      held.delete(id);
      return null;
    },

    puts: ({ store }) => Promise.resolve(counted(store).puts),

    moveClock({ by }) {
      const clock = Date.now;
      Date.now = () => clock() + by;
      return Promise.resolve(null);
    },

    async harm(input) {
      if (input.how === "reject") Promise.reject(new Error("nobody catches it"));
      if (input.how === "compute") compute(input.for);
      while (input.how === "microtasks") await Promise.resolve();
      return null;
    },

    look: () => Promise.resolve(signs.look()),

    collect() {
      collectGarbage();
      return Promise.resolve(null);
    },
  };
}
