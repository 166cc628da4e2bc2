/**
 * What a store takes for a put, a peek and a take, and how that grows with what it holds.
 *
 * Rules:
 * - Values as they are: 800 bytes, each in a partition of its own, as a server keeps them. A put is
 *   a new session, a peek and a take ask for one that is there; after a round a store holds what
 *   it held before.
 * - One call after the other: what is measured is how long a caller waits, not what a store can do
 *   at once. Rounds are interleaved over the stores.
 * - The store is on this machine: its disk, a redis-server on loopback. SQLite and Deno KV write
 *   ahead; nobody waits for the disk at a power failure.
 * - A store that takes more than a minute to fill is left where it is; the table says where.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { memoryStore, type SessionStore } from "../mod.ts";
import { denoKvStore } from "../src/stores/deno_kv.ts";
import { fileStore } from "../src/stores/file.ts";
import { redisStore } from "../src/stores/redis.ts";
import { sqliteStore } from "../src/stores/sqlite.ts";
import { haveRedis, startRedis } from "../tests/stores/redis_server.ts";
import { table } from "./table.ts";

/** Options of {@linkcode stores}. */
export interface StoresOptions {
  rounds: number;
  /** The most sessions in a store. */
  sessions: number;
}

const OPERATIONS = ["put", "peek", "take"] as const;
type Operation = typeof OPERATIONS[number];

const VALUE_BYTES = 800;
const FIRST_SIZE = 1_000;
/** Calls of each kind in a round. */
const CALLS = 50;
/** Puts under way while a store is filled. */
const FILLING = 64;
/** For one store and one size. */
const FILL_LIMIT_MS = 60_000;
const LIFETIME_MS = 7 * 24 * 60 * 60 * 1000;

/** A store that grows. */
class Growing {
  readonly name: string;
  readonly #store: SessionStore;
  readonly #partitions: string[] = [];
  #left = false;

  constructor(name: string, store: SessionStore) {
    this.name = name;
    this.#store = store;
  }

  get size(): number {
    return this.#partitions.length;
  }

  /** Whether filling it took too long. */
  get left(): boolean {
    return this.#left;
  }

  async #put(): Promise<string> {
    const partition = crypto.getRandomValues(new Uint8Array(32)).toHex();
    const value = crypto.getRandomValues(new Uint8Array(VALUE_BYTES));
    await this.#store.put(partition, value, { expiresAt: Date.now() + LIFETIME_MS, limit: 1 });
    return partition;
  }

  /** Fills it up to a size, or for as long as there is time. */
  async fill(size: number): Promise<void> {
    const end = performance.now() + FILL_LIMIT_MS;
    let missing = size - this.size;
    const fill = async () => {
      while (missing-- > 0 && performance.now() < end) this.#partitions.push(await this.#put());
    };
    await Promise.all(Array.from({ length: FILLING }, fill));
    this.#left = this.size < size;
  }

  /** Milliseconds of each call of one round. */
  async measure(): Promise<Record<Operation, number[]>> {
    const times: Record<Operation, number[]> = { put: [], peek: [], take: [] };
    const timed = async <T>(operation: Operation, call: () => Promise<T>): Promise<T> => {
      const started = performance.now();
      const result = await call();
      times[operation].push(performance.now() - started);
      return result;
    };
    const added: string[] = [];
    for (let i = 0; i < CALLS; i++) added.push(await timed("put", () => this.#put()));
    for (let i = 0; i < CALLS; i++) {
      const any = this.#partitions[Math.floor(Math.random() * this.size)];
      if (await timed("peek", () => this.#store.peek(any)) === null) throw this.#lost();
    }
    for (const partition of added) {
      if (await timed("take", () => this.#store.take(partition)) === null) throw this.#lost();
    }
    return times;
  }

  #lost(): Error {
    return new Error(`${this.name} lost a session`);
  }
}

/** What a store took for one kind of call at one size, in milliseconds. */
interface Latency {
  store: string;
  operation: Operation;
  /** How many sessions it held. */
  size: number;
  median: number;
  p99: number;
}

async function open(stack: AsyncDisposableStack): Promise<Growing[]> {
  const folder = await Deno.makeTempDir({ prefix: "bench-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const kv = stack.use(await Deno.openKv(`${folder}/kv.db`));
  const database = new DatabaseSync(`${folder}/sqlite.db`);
  stack.defer(() => database.close());
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  const all = [
    new Growing("memory", memoryStore({ maxPartitions: 10_000_000 })),
    new Growing("file", fileStore(`${folder}/files`)),
    new Growing("SQLite", sqliteStore(database)),
    new Growing("Deno KV", denoKvStore(kv)),
  ];
  if (!haveRedis()) return all;
  const { port } = stack.use(await startRedis());
  const { createClient } = await import("../tests/stores/redis_clients.ts");
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  await client.connect();
  stack.defer(() => client.close());
  return [...all, new Growing("Redis", redisStore(client))];
}

function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))];
}

/** Measures each store at 1,000 sessions, at ten times as many, and so on. */
export async function stores(options: StoresOptions): Promise<StoresReport> {
  const { rounds, sessions } = options;
  const latencies: Latency[] = [];
  await using stack = new AsyncDisposableStack();
  const all = await open(stack);
  for (let size = Math.min(FIRST_SIZE, sessions); size <= sessions; size *= 10) {
    const growing = all.filter(({ left }) => !left);
    for (const store of growing) await store.fill(size);
    const times = growing.map(
      () => ({ put: [], peek: [], take: [] } as Record<Operation, number[]>),
    );
    for (let round = -1; round < rounds; round++) {
      for (const [i, store] of growing.entries()) {
        const measured = await store.measure();
        if (round < 0) continue;
        for (const operation of OPERATIONS) times[i][operation].push(...measured[operation]);
      }
    }
    for (const [i, store] of growing.entries()) {
      for (const operation of OPERATIONS) {
        const values = times[i][operation];
        const [median, p99] = [quantile(values, 0.5), quantile(values, 0.99)];
        latencies.push({ store: store.name, operation, size: store.size, median, p99 });
      }
    }
  }
  const left = all.filter((store) => store.left).map(({ name }) => name);
  return new StoresReport(latencies, left, options);
}

/** What was found. */
export class StoresReport {
  readonly #latencies: readonly Latency[];
  readonly #left: readonly string[];
  readonly #options: StoresOptions;

  constructor(latencies: readonly Latency[], left: readonly string[], options: StoresOptions) {
    this.#latencies = latencies;
    this.#left = left;
    this.#options = options;
  }

  /** For people. */
  text(): string {
    const names = new Set(this.#latencies.map(({ store }) => store));
    const tables = Array.from(names, (name) => {
      const own = this.#latencies.filter(({ store }) => store === name);
      const sizes = [...new Set(own.map(({ size }) => size))];
      const head = [name, ...sizes.map((size) => size.toLocaleString("en")), "growth"];
      const rows = OPERATIONS.map((operation) => {
        const latencies = own.filter((each) => each.operation === operation);
        const growth = latencies[latencies.length - 1].median / latencies[0].median;
        const cells = latencies.slice(0, sizes.length)
          .map(({ median, p99 }) => `${micros(median)} (${micros(p99)})`);
        return [operation, ...cells, `×${growth.toFixed(1)}`];
      });
      return table([head, ...rows]);
    });
    const { rounds } = this.#options;
    return [
      "Stores: µs of a call by sessions stored, median (99th percentile)",
      ...tables,
      ...this.#left.map((name) => `  ${name} was left there: to fill it took over a minute`),
      `  ${CALLS} calls of each kind in each of ${rounds} rounds, ${VALUE_BYTES} bytes`,
    ].join("\n");
  }

  /** For programs. */
  json(): unknown {
    return { title: "Stores", unit: "ms", latencies: this.#latencies, left: this.#left };
  }
}

function micros(milliseconds: number): string {
  const value = milliseconds * 1000;
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
