/**
 * TCP clients that send what a test gives them, and ClientHellos to be cut up.
 *
 * @module
 */

import { ClientEngine } from "../../src/client_engine.ts";
import { within } from "../engine/bounded.ts";
import { clientContext, type Version } from "./echo_server.ts";

/** A TCP connection of a client that knows no TLS. */
export class RawClient implements Disposable {
  readonly #conn: Deno.TcpConn;
  #closed = false;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async connect(port: number): Promise<RawClient> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return new RawClient(conn);
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#conn.write(bytes.slice(sent));
    }
  }

  /** Sends until the server does not take any more. */
  async sendAnyway(bytes: Uint8Array): Promise<void> {
    await this.send(bytes).catch(() => {});
  }

  /** Says that nothing more comes. */
  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  /** What the server sends first. */
  async receive(): Promise<Uint8Array> {
    const buffer = new Uint8Array(16 * 1024);
    const n = await within(this.#conn.read(buffer), "an answer of the server");
    return buffer.subarray(0, n ?? 0);
  }

  /** All that the server sends, until it ends the connection in whatever way. */
  async receiveAll(): Promise<Uint8Array> {
    const chunks: number[] = [];
    const read = async () => {
      const buffer = new Uint8Array(16 * 1024);
      for (let n; (n = await this.#conn.read(buffer).catch(() => null)) !== null;) {
        chunks.push(...buffer.subarray(0, n));
      }
    };
    await within(read(), "the server's end of the connection");
    return Uint8Array.from(chunks);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}

/** The handshake message of a ClientHello, without the record's header. */
export async function clientHello(version: Version, port: number): Promise<Uint8Array> {
  const context = clientContext(version);
  const { connection } = await ClientEngine.begin({ context, serverName: "localhost", port });
  const record = connection.pollTransmit()!.slice();
  connection.transmitted(record.length);
  connection.free();
  return record.subarray(5);
}

/** A handshake message as records of so many bytes each. */
export function records(message: Uint8Array, size = 16 * 1024): Uint8Array {
  const parts: number[] = [];
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size);
    parts.push(22, 3, 1, fragment.length >> 8, fragment.length & 255, ...fragment);
  }
  return Uint8Array.from(parts);
}

/**
 * The hello with extensions of no known kind in front, so that the message has `length` bytes,
 * its header not counted. They must come before a pre_shared_key.
 */
export function padded(hello: Uint8Array, length: number): Uint8Array {
  const read = (at: number, size: number) =>
    hello.subarray(at, at + size).reduce((value, byte) => value * 256 + byte, 0);
  let at = 4 + 2 + 32;
  at += 1 + read(at, 1);
  at += 2 + read(at, 2);
  at += 1 + read(at, 1);
  const extensions = hello.subarray(at + 2);
  const more = length - (hello.length - 4);
  const padding = new Uint8Array(more);
  // RFC 8701: a kind that is kept free, so that peers pass over what they do not know.
  padding.set([0x0a, 0x0a, (more - 4) >> 8, (more - 4) & 255]);
  const total = padding.length + extensions.length;
  return Uint8Array.from([
    1,
    length >> 16,
    (length >> 8) & 255,
    length & 255,
    ...hello.subarray(4, at),
    total >> 8,
    total & 255,
    ...padding,
    ...extensions,
  ]);
}
