/**
 * A store in Redis or Valkey, over a client that the caller connected: `redis` or `ioredis`.
 *
 * ```text
 * PREFIX PARTITION    list, the newest first, of EXPIRES ":" BASE64
 * ```
 * EXPIRES is in milliseconds since 1970, by Redis's clock; the key expires with its last value.
 * Values are text, so that no client's decoding of replies can change them. Each operation is one
 * script on one key: atomic, and at home in a cluster.
 *
 * @module
 */

import type { PutOptions, SessionStore } from "../session_store.ts";

/** What is used of a client of `redis` (node-redis), single or cluster. */
export interface NodeRedisClient {
  /** EVAL. */
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** What is used of a client of `ioredis`, single or cluster. */
export interface IoRedisClient {
  /** EVAL. */
  eval(script: string, numberOfKeys: number, ...args: string[]): Promise<unknown>;
  /** Any command; tells the two clients apart. */
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** Options of {@linkcode redisStore}. */
export interface RedisStoreOptions {
  /** What keys start with; `"reprise:"` by default. */
  prefix?: string;
}

/** Redis counts in 64 bits; no partition holds more. */
const NO_LIMIT = 2 ** 31;

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function living(entry)
  local colon = string.find(entry, ':', 1, true)
  if colon and (tonumber(string.sub(entry, 1, colon - 1)) or 0) > now then
    return string.sub(entry, colon + 1)
  end
end
`;

const PUT = `${NOW}
redis.call('LPUSH', KEYS[1], ARGV[1] .. ':' .. ARGV[2])
redis.call('LTRIM', KEYS[1], 0, ARGV[3] - 1)
local rest = math.max(1, ARGV[1] - now)
if redis.call('PTTL', KEYS[1]) < rest then redis.call('PEXPIRE', KEYS[1], rest) end
return 1
`;

const TAKE = `${NOW}
while true do
  local entry = redis.call('LPOP', KEYS[1])
  if not entry then return false end
  local value = living(entry)
  if value then return value end
end
`;

const PEEK = `${NOW}
for index = 0, redis.call('LLEN', KEYS[1]) - 1 do
  local value = living(redis.call('LINDEX', KEYS[1], index))
  if value then return value end
end
return false
`;

const DELETE = "return redis.call('DEL', KEYS[1])";

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  // In parts: an argument for each byte of a large value is too many.
  for (let at = 0; at < bytes.length; at += 8192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(binary);
}

/** A client may be set to reply with Buffers. */
function fromReply(reply: unknown): Uint8Array | null {
  if (reply === null || reply === undefined) return null;
  return Uint8Array.from(atob(String(reply)), (character) => character.charCodeAt(0));
}

/**
 * Keeps sessions in Redis 5 or newer.
 *
 * `take` is atomic. With replicas Redis may lose its last writes in a failover, and bring back what
 * was taken just before: then a ticket may be offered twice.
 *
 * @example
 * ```ts ignore
 * import { createClient } from "redis";
 * import { ClientContext, SealingKeys } from "@reprise/tls";
 * import { redisStore } from "@reprise/tls/stores/redis";
 *
 * const client = await createClient().connect();            // or: new Redis() of ioredis
 * const keys = await SealingKeys.fromSecret(secret);
 * const context = new ClientContext({ resumption: { store: redisStore(client), keys } });
 * ```
 */
export function redisStore(
  client: NodeRedisClient | IoRedisClient,
  options: RedisStoreOptions = {},
): SessionStore {
  if (typeof client?.eval !== "function") {
    throw new TypeError(`Argument "client" must be a client of redis or ioredis, got ${client}`);
  }
  const { prefix = "reprise:" } = options;

  async function evaluate(script: string, partition: string, ...args: string[]): Promise<unknown> {
    const key = prefix + partition;
    if ("call" in client) return await client.eval(script, 1, key, ...args);
    return await client.eval(script, { keys: [key], arguments: args });
  }

  return {
    capabilities: { atomicTake: true, consistency: "strong" },
    async put(partition: string, value: Uint8Array, { expiresAt, limit }: PutOptions) {
      const expires = Math.max(0, Math.floor(expiresAt));
      const most = Math.min(limit, NO_LIMIT);
      await evaluate(PUT, partition, String(expires), toBase64(value), String(most));
    },
    take: async (partition: string) => fromReply(await evaluate(TAKE, partition)),
    peek: async (partition: string) => fromReply(await evaluate(PEEK, partition)),
    async delete(partition: string) {
      await evaluate(DELETE, partition);
    },
  };
}
