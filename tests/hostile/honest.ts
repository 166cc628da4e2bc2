/**
 * Honest peers, by Deno's own TLS: what must go on working while somebody else is attacked.
 *
 * @module
 */

import { assert } from "@std/assert";
import { within } from "../engine/bounded.ts";
import { caCert, type CertAndKey, serverCert } from "../testdata/mod.ts";

/**
 * What honest clients offer, and victims take: it tells their connections from the attacker's, which
 * offers no application protocol.
 */
export const HONEST = "honest";

/** A client of a server that echoes. */
export class HonestClient implements Disposable {
  readonly #conn: Deno.TlsConn;

  private constructor(conn: Deno.TlsConn) {
    this.#conn = conn;
  }

  /** Connects and shakes hands. */
  static async open(port: number, own?: CertAndKey): Promise<HonestClient> {
    const conn = await within(
      Deno.connectTls({
        hostname: "127.0.0.1",
        port,
        caCerts: [caCert("ec")],
        alpnProtocols: [HONEST],
        ...own,
      }),
      "an honest client connects",
    );
    await within(conn.handshake(), "an honest client shakes hands");
    return new HonestClient(conn);
  }

  /** One connection from its beginning to its end, with so many bytes echoed. */
  static async visit(port: number, own?: CertAndKey, length?: number): Promise<void> {
    using client = await HonestClient.open(port, own);
    await client.echo(length);
    await client.#conn.closeWrite();
    await within(client.#conn.read(new Uint8Array(1)), "the server's end");
  }

  /** Has bytes echoed. */
  async echo(length = 32): Promise<void> {
    const bytes = new Uint8Array(length).fill(7);
    const writing = within(writeAll(this.#conn, bytes), "an honest client writes");
    writing.catch(() => {});
    const buffer = new Uint8Array(64 * 1024);
    for (let left = length; left > 0;) {
      const n = await within(this.#conn.read(buffer), "an honest client has its bytes echoed");
      if (n === null) throw new Error("The server has ended an honest connection");
      left -= n;
    }
    await writing;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** A server that echoes. */
export class HonestServer implements AsyncDisposable {
  readonly port: number;
  readonly #listener: Deno.TlsListener;
  readonly #conns = new Set<Deno.TlsConn>();
  readonly #serving: Promise<void>;

  constructor() {
    this.#listener = Deno.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      ...serverCert("ec_p256"),
    });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#serving = this.#serve();
  }

  async #serve(): Promise<void> {
    const echoes: Promise<void>[] = [];
    for await (const conn of this.#listener) {
      this.#conns.add(conn);
      echoes.push(this.#echo(conn));
    }
    await Promise.all(echoes);
  }

  async #echo(conn: Deno.TlsConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (let n; (n = await conn.read(buffer)) !== null;) {
        await writeAll(conn, buffer.subarray(0, n));
      }
    } catch {
      // Victims go as they like, and may be killed.
    }
    if (this.#conns.delete(conn)) conn.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#conns) conn.close();
    this.#conns.clear();
    await within(this.#serving, "the honest server's end");
  }
}

async function writeAll(conn: Deno.TlsConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

/** What keeps asking while an attack goes on; disposing it stops that. */
export class Meanwhile implements Disposable {
  #over = false;
  #rounds = 0;
  readonly #asking: Promise<void>;

  /** Asks again and again until {@linkcode Meanwhile.end}. */
  constructor(ask: () => Promise<unknown>) {
    this.#asking = (async () => {
      do {
        await ask();
        this.#rounds++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      } while (!this.#over);
    })();
    this.#asking.catch(() => {});
  }

  /** Waits for the asking under way, and throws what it threw. */
  async end(): Promise<void> {
    this.#over = true;
    await this.#asking;
    assert(this.#rounds > 0);
  }

  [Symbol.dispose](): void {
    this.#over = true;
  }
}
