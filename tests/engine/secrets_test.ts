/**
 * Guards: when a connection is over, none of its secrets is left anywhere in wasm memory, heap or
 * stack: traffic secrets and keys, master secret, PSK, nor its plaintext.
 *
 * @module
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import {
  type CipherSuite,
  ClientContext,
  connectTls,
  listenTls,
  memoryStore,
  SealingKeys,
  ServerContext,
  type Session,
  TicketKeys,
} from "../../mod.ts";
import { ClientEngine } from "../../src/client_engine.ts";
import { EngineInstance, STACK_WIPED } from "../../src/engine.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import module from "../../src/entrypoints/wasm_deno.js";
import { sessionInternals } from "../../src/session.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert, clientCert, serverCert } from "../testdata/mod.ts";
import { within } from "./bounded.ts";
import { Driver } from "./driver.ts";

Deno.test.sanitizer({ ops: true, resources: true });

/** A piece of a secret of this length is not there by chance, and is as bad as the secret. */
const PIECE = 16;
const encoder = new TextEncoder();

/** What to look for, by a name for the message of a failure. */
class Secrets {
  readonly #secrets = new Map<string, Uint8Array>();
  readonly #whole = new Map<string, Uint8Array>();

  add(name: string, secret: Uint8Array): void {
    assertGreater(secret.length, PIECE - 1, name);
    this.#secrets.set(name, secret.slice());
  }

  /** What is a secret as a whole only. */
  addWhole(name: string, secret: Uint8Array): void {
    this.#whole.set(name, secret);
  }

  get names(): string[] {
    return [...this.#secrets.keys()];
  }

  /** The places in wasm memory where a secret, or a piece of one, is. */
  found(): string[] {
    const memory = Buffer.from(currentEngine().memory.buffer);
    const found: string[] = [];
    for (const [name, secret] of this.#whole) {
      const place = memory.indexOf(secret);
      if (place >= 0) found.push(`${name}: at 0x${place.toString(16)}`);
    }
    for (const [name, secret] of this.#secrets) {
      for (let at = 0; at + PIECE <= secret.length; at += PIECE) {
        const place = memory.indexOf(secret.subarray(at, at + PIECE));
        if (place >= 0) found.push(`${name}, byte ${at}: at 0x${place.toString(16)}`);
      }
    }
    return found;
  }

  /** Guards the test itself: while the connection lives its secrets are to be found. */
  assertSomeFound(): void {
    assertGreater(this.found().length, 0, `some of ${this.names}`);
  }

  assertNoneFound(): void {
    assertEquals(this.found(), []);
  }
}

/** HKDF-Expand-Label (RFC 8446 §7.1) for outputs up to one hash long, with an empty context. */
function expandLabel(hash: string, secret: Uint8Array, label: string, length: number): Uint8Array {
  const name = encoder.encode(`tls13 ${label}`);
  const info = new Uint8Array([0, length, name.length, ...name, 0, 1]);
  return createHmac(hash, secret).update(info).digest().subarray(0, length);
}

/** Collects secrets from key log lines. */
function keyLog(secrets: Secrets, suite: () => CipherSuite): (line: string) => void {
  return (line) => {
    const [label, , hexadecimal] = line.split(" ");
    const secret = Buffer.from(hexadecimal, "hex");
    secrets.add(label, secret);
    if (!label.includes("TRAFFIC_SECRET")) return;
    const hash = suite().endsWith("SHA384") ? "sha384" : "sha256";
    const keyLength = suite().includes("AES_128") ? 16 : 32;
    const key = expandLabel(hash, secret, "key", keyLength);
    secrets.add(`key of ${label}`, key);
    if (suite().includes("AES")) secrets.addWhole(`round key of ${label}`, sliced(key));
  };
}

/** The first round key as the engine's AES keeps it: a vector for each bit, bytes by rows. */
function sliced(key: Uint8Array): Uint8Array {
  const slices = new Uint8Array(8 * 16);
  for (let at = 0; at < slices.length; at++) {
    const [bit, row, column] = [at >> 4, at >> 2 & 3, at & 3];
    slices[at] = key[4 * column + row] >> bit & 1 ? 0xff : 0;
  }
  return slices;
}

/** Text that is nowhere else, not even in part. */
function hexNoise(length: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(length))).toString("hex");
}

/** The secret of a session: PSK or master secret. */
function sessionSecret(session: Session): Uint8Array {
  const state = sessionInternals.state(session);
  const vector = 4; // behind version and suite: `session_state.ts`
  const start = vector + 1;
  return session.protocol === "TLSv1.3"
    ? state.slice(start, start + state[vector])
    : state.slice(start + state[vector], start + state[vector] + 48);
}

const CASES: { suite: CipherSuite; ciphers: string; cert: "ec" | "rsa" }[] = [
  { suite: "TLS_CHACHA20_POLY1305_SHA256", ciphers: "", cert: "ec" },
  { suite: "TLS_AES_128_GCM_SHA256", ciphers: "", cert: "rsa" },
  { suite: "TLS_AES_256_GCM_SHA384", ciphers: "", cert: "ec" },
  {
    suite: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ciphers: "ECDHE-ECDSA-CHACHA20-POLY1305",
    cert: "ec",
  },
  {
    suite: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    ciphers: "ECDHE-RSA-AES256-GCM-SHA384",
    cert: "rsa",
  },
];

for (const { suite, ciphers, cert } of CASES) {
  Deno.test(`no secret outlives its connection: ${suite}`, needs("openssl"), async () => {
    const version = ciphers === "" ? "TLSv1.3" : "TLSv1.2";
    const offer = ciphers === "" ? { ciphersuites: suite } : { ciphers };
    await using server = await startOpensslServer({ version, cert, rev: true, ...offer });
    const secrets = new Secrets();
    const context = new ClientContext({
      caCerts: [caCert("ec"), caCert("rsa")],
      keyLog: keyLog(secrets, () => suite),
    });
    const options = { hostname: "127.0.0.1", port: server.port, context };

    let session: Uint8Array | undefined;
    for (const how of ["full", "resumed"]) {
      const conn = await connectTls({ ...options, session });
      assertEquals([conn.sessionReused, conn.sessionMiss], [how === "resumed", null]);
      // What only the handshake was encrypted with is gone already.
      const found = secrets.found();
      assertEquals(found.filter((name) => name.includes("HANDSHAKE")), []);
      if (/^TLS_AES/.test(suite)) {
        assertGreater(found.filter((name) => name.startsWith("round key")).length, 1);
      }
      const line = hexNoise(48);
      const echo = [...line].reverse().join("");
      secrets.add(`written, ${how}`, encoder.encode(line));
      secrets.add(`read, ${how}`, encoder.encode(echo));
      await conn.write(encoder.encode(`${line}\n`));
      const text = new Uint8Array(200);
      const first = await within(conn.read(text.subarray(0, 1)), "the echo");
      // Plaintext that nobody has read, at the least.
      secrets.assertSomeFound();
      const rest = await within(conn.read(text.subarray(1)), "the rest of the echo");
      assertEquals(new TextDecoder().decode(text.subarray(0, first! + rest!)), `${echo}\n`);
      // What was read is gone, though the connection lives.
      assertEquals(secrets.found().filter((name) => name.startsWith(`read, ${how}`)), []);

      const received = (await conn.getSession())!;
      secrets.add(`session secret, ${how}`, sessionSecret(received));
      session = received.toBytes();
      await conn.close();
      secrets.assertNoneFound();
    }
    assertGreater(secrets.names.length, 5);
  });
}

Deno.test(
  "no secret outlives a connection with a client certificate",
  needs("openssl"),
  async () => {
    for (const name of ["ec", "rsa"] as const) {
      await using server = await startOpensslServer({ clientAuth: true, cert: name, rev: true });
      const secrets = new Secrets();
      const context = new ClientContext({
        caCerts: [caCert("ec"), caCert("rsa")],
        keyLog: keyLog(secrets, () => "TLS_CHACHA20_POLY1305_SHA256"),
        ...clientCert(name),
      });
      const conn = await connectTls({ hostname: "127.0.0.1", port: server.port, context });
      assert(await conn.getSession() !== null);
      await conn.close();
      secrets.assertNoneFound();
    }
  },
);

Deno.test("no secret outlives a handshake that failed", needs("openssl"), async () => {
  await using server = await startOpensslServer({ cert: "wrong_name", rev: true });
  const secrets = new Secrets();
  const context = new ClientContext({
    caCerts: [caCert("ec")],
    keyLog: keyLog(secrets, () => "TLS_CHACHA20_POLY1305_SHA256"),
  });
  const options = { hostname: "127.0.0.1", port: server.port, context };
  await connectTls(options).then(() => assert(false), () => {});
  assertGreater(secrets.names.length, 1);
  secrets.assertNoneFound();
});

for (const mode of ["stateful", "tickets"] as const) {
  Deno.test(`no secret outlives a connection on a server: ${mode}`, async () => {
    const secrets = new Secrets();
    const server = new ServerContext({
      ...serverCert("ec_p256"),
      resumption: mode === "stateful"
        ? { mode, store: memoryStore(), keys: await SealingKeys.generate() }
        : { mode, ticketKeys: await TicketKeys.generate() },
    });
    const context = new ClientContext({
      caCerts: [caCert("ec")],
      keyLog: keyLog(secrets, () => "TLS_CHACHA20_POLY1305_SHA256"),
    });
    const listener = listenTls({ hostname: "127.0.0.1", port: 0, context: server });
    try {
      const { port } = await listener.listening;
      let session: Uint8Array | undefined;
      for (const reused of [false, true]) {
        const options = { hostname: "127.0.0.1", port, context, session };
        const [client, { value: accepted }] = await within(
          Promise.all([connectTls(options), listener[Symbol.asyncIterator]().next()]),
          "the handshake",
        );
        assertEquals(client.sessionReused, reused);
        const received = (await client.getSession())!;
        secrets.add(`session secret, reused ${reused}`, sessionSecret(received));
        session = received.toBytes();
        await Promise.all([client.close(), accepted!.close()]);
        secrets.assertNoneFound();
      }
    } finally {
      await listener.close();
      await server.settled();
    }
    secrets.assertNoneFound();
  });
}

Deno.test("no call goes deeper into the stack than is wiped", needs("openssl"), async () => {
  const instance = new EngineInstance(module);
  const end = instance.call((exports) => exports.stack_end());
  const untouched = new Uint8Array(currentEngine().memory.buffer, 0, end - STACK_WIPED);
  untouched.fill(0xa5);
  for (const cert of ["ec", "rsa", "ec_p384", "via_intermediate"] as const) {
    for (const groups of ["X25519", "P-256", "P-384"]) {
      await using server = await startOpensslServer({ cert, groups, clientAuth: true, rev: true });
      const context = new ClientContext({
        caCerts: [caCert("ec"), caCert("rsa")],
        ...clientCert("rsa"),
      });
      const options = { hostname: "127.0.0.1", port: server.port, context };
      await using conn = await connectTls(options);
      const session = (await conn.getSession())!;
      await conn.close();
      await using again = await connectTls({ ...options, session });
      assert(again.sessionReused);
    }
  }
  // The memory may have grown: its first part is looked at again.
  const now = new Uint8Array(currentEngine().memory.buffer, 0, end - STACK_WIPED);
  assertEquals(now.findIndex((byte) => byte !== 0xa5), -1);
  now.fill(0);
});

Deno.test("plaintext that could not be sent is not left behind", needs("openssl"), async () => {
  const secrets = new Secrets();
  const plaintext = encoder.encode(hexNoise(48));
  secrets.add("plaintext", plaintext);
  const attempt = ({ connection }: ClientEngine) => {
    try {
      connection.writePlaintext(plaintext);
    } catch {
      return;
    }
    throw new Error("This write was to fail");
  };
  const context = new ClientContext({ caCerts: [caCert("ec")] });
  const early = await ClientEngine.begin({ context, serverName: "localhost", port: 443 });
  attempt(early);
  secrets.assertNoneFound();
  early.connection.free();
  attempt(early);
  secrets.assertNoneFound();

  await using server = await startOpensslServer({ rev: true });
  using driver = await Driver.connect({ port: server.port, context });
  await driver.handshake();
  driver.connection.close();
  attempt(driver.client);
  secrets.assertNoneFound();
});
