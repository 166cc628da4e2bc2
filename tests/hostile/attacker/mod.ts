/**
 * A TLS 1.2 and 1.3 peer by hand, that can do wrong: for tests of what an attacker could do.
 *
 * ```ts ignore
 * const client = await Client.connect(port, { versions: ["TLSv1.3"] });
 * await client.handshake();                                  // honest, and complete
 * await client.send(client.record(99, new Uint8Array(10)));  // a record of no known type
 * const { alert } = await client.readToEnd();                // "unexpected_message"
 * ```
 *
 * README.md in the folder above says how to write a test with it.
 *
 * @module
 */

export * from "./byte_stream.ts";
export * from "./client.ts";
export * from "./codes.ts";
export * from "./credential.ts";
export * as extensions from "./extensions.ts";
export * from "./hello.ts";
export * from "./incoming.ts";
export * from "./key_exchange.ts";
export * from "./keys12.ts";
export * from "./keys13.ts";
export * from "./messages.ts";
export * from "./peer.ts";
export * from "./protection.ts";
export * from "./records.ts";
export * from "./server.ts";
export * from "./suites.ts";
export * from "./wire.ts";
