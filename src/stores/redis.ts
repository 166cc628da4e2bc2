/**
 * A store in Redis 6 or newer, by the client that the program has: `redis` (node-redis) or
 * `ioredis`.
 *
 * ```text
 * PREFIX PARTITION    a list, the newest first, of EXPIRY ":" BASE64    expiry in milliseconds
 * ```
 *
 * `take` is one script on one list, so it has one winner among all clients of a primary. Values
 * are text, as both clients take text for granted.
 *
 * @module
 */

import { fromBase64 } from "../bytes.ts";
import type { PutOptions, SessionStore } from "../session_store.ts";

/** What is used of node-redis. */
export interface NodeRedisClient {
  /** Sends a command in its parts. */
  sendCommand(parts: string[]): Promise<unknown>;
}

/** What is used of ioredis. */
export interface IoRedisClient {
  /** Sends a command. */
  call(command: string, ...parts: string[]): Promise<unknown>;
}

/** Options of {@linkcode redisStore}. */
export interface RedisStoreOptions {
  /** What keys start with; `"reprise:"` by default. */
  prefix?: string;
}

const PUT = `
redis.call('LPUSH', KEYS[1], ARGV[1])
if tonumber(ARGV[2]) >= 0 then redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[2]) - 1) end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1
`;

const TAKE = `
while true do
  local value = redis.call('LPOP', KEYS[1])
  if not value then return false end
  if tonumber(string.match(value, '^%d+')) > tonumber(ARGV[1]) then return value end
end
`;

const PEEK = `
for _, value in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if tonumber(string.match(value, '^%d+')) > tonumber(ARGV[1]) then return value end
end
return false
`;

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return btoa(binary);
}

function decode(reply: unknown): Uint8Array | null {
  if (reply === null || reply === undefined) return null;
  const text = String(reply);
  return fromBase64(text.slice(text.indexOf(":") + 1));
}

/**
 * Keeps sessions in Redis, by a client that the caller connected, and closes.
 *
 * @example
 * ```ts ignore
 * import { createClient } from "redis";
 *
 * const client = await createClient().connect();
 * const context = new ClientContext({ resumption: { store: redisStore(client), keys } });
 * ```
 */
export function redisStore(
  client: NodeRedisClient | IoRedisClient,
  options: RedisStoreOptions = {},
): SessionStore {
  const nodeRedis = client as NodeRedisClient;
  const ioRedis = client as IoRedisClient;
  // ioredis has a sendCommand too, of another shape.
  const isIoRedis = typeof ioRedis?.call === "function";
  if (!isIoRedis && typeof nodeRedis?.sendCommand !== "function") {
    throw new TypeError('Argument "client" must be a client of "redis" or "ioredis"');
  }
  const send = (command: string, ...parts: string[]) =>
    isIoRedis ? ioRedis.call(command, ...parts) : nodeRedis.sendCommand([command, ...parts]);
  const { prefix = "reprise:" } = options;
  const key = (partition: string) => prefix + partition;

  return {
    capabilities: { atomicTake: true, consistency: "strong" },
    async put(partition: string, value: Uint8Array, { expiresAt, limit }: PutOptions) {
      const expiry = Math.max(0, Math.floor(expiresAt));
      const left = Math.max(1, expiry - Date.now());
      const bound = Number.isFinite(limit) ? limit : -1;
      const entry = `${expiry}:${toBase64(value)}`;
      await send("EVAL", PUT, "1", key(partition), entry, String(bound), String(left));
    },
    async take(partition: string) {
      return decode(await send("EVAL", TAKE, "1", key(partition), String(Date.now())));
    },
    async peek(partition: string) {
      return decode(await send("EVAL", PEEK, "1", key(partition), String(Date.now())));
    },
    async delete(partition: string) {
      await send("DEL", key(partition));
    },
  };
}
