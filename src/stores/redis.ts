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
 * Rules: a script holds up everybody, so it looks at a bounded number of entries. It checks what it
 * writes before it writes anything: a key without an expiry would stay for ever. What is no living
 * value of ours leaves the list when it is met, and does not leave Redis.
 *
 * @module
 */

import { badOption } from "../option_errors.ts";
import { checkText, hasMethods } from "../options.ts";
import { type KnownOptions, readOptions } from "../read_options.ts";
import type { PutOptions, SessionStore } from "../session_store.ts";
import { MAX_LIFETIME_MS, MAX_PASSED_OVER, MAX_VALUE_BYTES } from "./bounds.ts";
import { checkPartition, checkPut } from "./put_options.ts";

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
  /** What keys start with, `"reprise:"` by default; 256 bytes of UTF-8 at most. */
  prefix?: string;
}

const OPTIONS = { prefix: "anywhere" } as const satisfies KnownOptions<RedisStoreOptions>;

const MAX_PREFIX_BYTES = 256;
/** Base64 has four characters for three bytes. */
const MAX_TEXT = 4 * Math.ceil(MAX_VALUE_BYTES / 3);

/** `living(entry)` is the value in an entry, if it may be handed out. */
const LIVING = `
local most = ${MAX_TEXT} + 16
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local latest = now + ${MAX_LIFETIME_MS}
local function living(entry)
  if #entry > most then return nil end
  local expires, value = string.match(entry, '^(%d+):([%w+/]*=?=?)$')
  if not value or #expires > 15 or #value % 4 ~= 0 then return nil end
  expires = tonumber(expires)
  if expires > now and expires <= latest then return value end
end
`;

/** It expires with its last value; a key that somebody gave no expiry, or one too late, as well. */
const PUT = `${LIVING}
local rest = math.min(math.max(1, ARGV[1] - now), ${MAX_LIFETIME_MS})
redis.call('LPUSH', KEYS[1], ARGV[1] .. ':' .. ARGV[2])
redis.call('LTRIM', KEYS[1], 0, ARGV[3] - 1)
local left = redis.call('PTTL', KEYS[1])
if left < rest or left > ${MAX_LIFETIME_MS} then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', rest))
end
return 1
`;

const TAKE = `${LIVING}
for i = 1, ${MAX_PASSED_OVER} do
  local entry = redis.call('LPOP', KEYS[1])
  if not entry then return false end
  local value = living(entry)
  if value then return value end
end
return false
`;

/** Only a value stays: what is before it, and is none, would be looked at by every peek. */
const PEEK = `${LIVING}
for i = 1, ${MAX_PASSED_OVER} do
  local entry = redis.call('LINDEX', KEYS[1], 0)
  if not entry then return false end
  local value = living(entry)
  if value then return value end
  redis.call('LPOP', KEYS[1])
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
  if (typeof reply !== "string" && !(reply instanceof Uint8Array)) {
    throw new Error(`The Redis client must reply with a string or bytes, got ${typeof reply}`);
  }
  const text = typeof reply === "string" ? reply : new TextDecoder().decode(reply);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/**
 * Keeps sessions in Redis 5 or newer.
 *
 * `take` is atomic. With replicas Redis may lose its last writes in a failover, and bring back what
 * was taken just before: then a ticket may be offered twice.
 *
 * @throws {TypeError} on what is no client, and on a bad or unknown option.
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
  if (!hasMethods('Argument "client"', client, "eval")) {
    badOption("client", "a client of redis or ioredis", client, "Argument");
  }
  const { prefix: given = "reprise:" } = readOptions(options, OPTIONS, "redisStore() options");
  const prefix = checkText("prefix", given, MAX_PREFIX_BYTES);

  async function evaluate(script: string, partition: string, ...args: string[]): Promise<unknown> {
    const key = prefix + checkPartition(partition);
    if ("call" in client) return await client.eval(script, 1, key, ...args);
    return await client.eval(script, { keys: [key], arguments: args });
  }

  return {
    capabilities: { atomicTake: true, consistency: "strong", maxValueBytes: MAX_VALUE_BYTES },
    async put(partition: string, given: Uint8Array, options: PutOptions) {
      const { value, expiresAt, limit } = checkPut(partition, given, options);
      const expires = String(Math.floor(expiresAt));
      await evaluate(PUT, partition, expires, toBase64(value), String(limit));
    },
    take: async (partition: string) => fromReply(await evaluate(TAKE, partition)),
    peek: async (partition: string) => fromReply(await evaluate(PEEK, partition)),
    async delete(partition: string) {
      await evaluate(DELETE, partition);
    },
  };
}
