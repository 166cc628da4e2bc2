/**
 * TLS whose sessions are bytes that belong to the caller.
 *
 * @example
 * ```ts ignore
 * import { connectTls } from "./mod.ts";
 *
 * await using conn = await connectTls({ hostname: "example.com", port: 443 });
 * const bytes = (await conn.getSession())?.toBytes();
 * ```
 *
 * @module
 */

export * from "./src/entrypoints/deno.ts";
