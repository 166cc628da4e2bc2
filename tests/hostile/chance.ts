/**
 * Connections that do, by chance, what is legal and what is not: at each step a record or a message of
 * an honest peer, or one that is changed, made up, repeated or out of place.
 *
 * Rules:
 * - Whatever comes, the victim ends the connection in order or with an error that blames the peer. It
 *   never panics, never hangs, keeps no memory, and serves an honest connection all the while.
 * - What is chosen follows from the seed. Keys and randoms do not: both ends make them anew.
 * - `REPRISE_HOSTILE_CONNECTIONS` and `REPRISE_HOSTILE_SEED` make a longer run, or another one.
 *
 * @module
 */

import { assert } from "@std/assert";
import { settledWithin } from "../peers/child.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import type { Role } from "./attack.ts";
import {
  Alert,
  Client,
  type ClientOptions,
  concat,
  ContentType,
  handshakeMessage,
  HandshakeType,
  listen,
  type Peer,
  type ServerOptions,
  type Session,
  STAGES,
  type Version,
  VERSIONS,
} from "./attacker/mod.ts";
import { resumptionOf } from "./attacks/sessions.ts";
import { HONEST, HonestClient, Meanwhile } from "./honest.ts";
import { Random } from "./random.ts";
import type { Suite } from "./suite.ts";
import type { End } from "./victims/protocol.ts";
import { Watch } from "./watch.ts";

const MiB = 1024 * 1024;
const CONNECTIONS = Number(Deno.env.get("REPRISE_HOSTILE_CONNECTIONS") ?? 100);
const SEED = Number(Deno.env.get("REPRISE_HOSTILE_SEED") ?? 20261124);

/** Steps after the handshake. */
const MAX_STEPS = 12;
/** How long a victim may leave the attacker without an answer before that goes on. */
const PATIENCE_MS = 200;

/** What a victim may say of such a peer. */
const BLAMES = [
  "ERR_TLS_PEER_MISBEHAVED",
  "ERR_TLS_PEER_INCOMPATIBLE",
  "ERR_TLS_ALERT_RECEIVED",
  "ERR_TLS_TRUNCATED",
  "ERR_TLS_TRANSPORT",
  "ERR_TLS_CERT_INVALID",
  "ERR_TLS_CERT_UNKNOWN_ISSUER",
  "ERR_TLS_CERT_NAME_MISMATCH",
  "ERR_TLS_CERT_EXPIRED",
  "ERR_TLS_CERT_NOT_YET_VALID",
];

/** Changes bytes in one of several ways. */
function mutate(random: Random, bytes: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  switch (random.below(5)) {
    case 0: {
      const copy = bytes.slice();
      if (at < copy.length) copy[at] ^= 1 << random.below(8);
      return copy;
    }
    case 1:
      return bytes.slice(0, at);
    case 2:
      return concat(bytes, random.bytes(random.below(50)));
    case 3:
      return concat(bytes.subarray(0, at), random.bytes(1 + random.below(8)), bytes.subarray(at));
    default:
      return concat(bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(8)));
  }
}

/** The same, of the body of a message: the header stays true, for the most part. */
function mutateMessage(random: Random, message: Uint8Array): Uint8Array {
  if (random.chance(0.2)) return mutate(random, message);
  return handshakeMessage(message[0], mutate(random, message.subarray(4)));
}

/** How the honest part of a connection is changed. */
function framing(random: Random): ClientOptions & ServerOptions {
  const wrong = random.chance(0.5) ? random.below(8) : -1;
  let messages = 0;
  return {
    fragment: random.pick([1, 7, 100, 2 ** 14, 2 ** 14, 2 ** 14]),
    chunk: random.pick([1, 50, undefined, undefined, undefined]),
    rewrite(message) {
      if (messages++ !== wrong) return message;
      return random.pick([
        () => [],
        () => [message, message],
        () => mutateMessage(random, message),
        () => mutateMessage(random, message),
        () => mutateMessage(random, message),
      ])();
    },
  };
}

/** A session, or what is left of it when its ticket or its secret is another one. */
function perhapsChanged(random: Random, session: Session): Session {
  if (random.chance(0.7)) return session;
  return random.chance(0.5)
    ? { ...session, ticket: mutate(random, session.ticket) }
    : { ...session, secret: random.bytes(session.secret.length) };
}

/** Bytes of one step. */
function step(random: Random, peer: Peer): Uint8Array {
  const content = random.bytes(random.below(random.chance(0.1) ? 3_000 : 30));
  const types = Object.values(ContentType);
  switch (random.below(11)) {
    case 0:
    case 1:
      return peer.data(content);
    case 2:
      return peer.data(content, { padding: random.below(100) });
    case 3:
      return peer.record(random.chance(0.8) ? random.pick(types) : random.below(256), content);
    case 4:
      return peer.message(
        handshakeMessage(random.pick(Object.values(HandshakeType)), content),
        1 + random.below(100),
      );
    case 5:
      return peer.alert(random.pick(Object.values(Alert)), 1 + random.below(2));
    case 6:
      return peer.changeCipherSpec();
    case 7:
      return peer.version === "TLSv1.3" && peer.stage === "established"
        ? peer.keyUpdate(random.chance(0.5))
        : peer.data(content);
    case 8:
      return mutate(random, peer.data(content));
    case 9: {
      const { messages } = peer.transcript;
      return messages.length === 0 ? content : peer.message(random.pick(messages));
    }
    default:
      return content;
  }
}

/** Does one connection, to an end of the attacker's. */
async function misbehave(random: Random, peer: Peer): Promise<void> {
  const noise = random.chance(0.3) ? random.pick(STAGES) : undefined;
  for (const stage of STAGES) {
    if (stage === noise) await peer.sendAnyway(step(random, peer));
    const going = peer.handshake(stage);
    going.catch(() => {});
    if (!(await settledWithin(going, PATIENCE_MS))) break;
    if (peer.stage !== stage) break;
  }
  for (let left = random.below(MAX_STEPS); left > 0; left--) {
    if (!(await peer.sendAnyway(step(random, peer)))) break;
  }
  if (random.chance(0.3)) peer.stream.reset();
  else if (random.chance(0.5)) await settledWithin(peer.bye().catch(() => {}), PATIENCE_MS);
  else await peer.closeWrite();
  await settledWithin(peer.readToEnd().catch(() => {}), PATIENCE_MS);
  peer.stream.close();
}

function assertBlame({ error }: End, what: string): void {
  assert(error === null || BLAMES.includes(error.code ?? ""), `${what}: ${JSON.stringify(error)}`);
}

/** Registers the tests of a runtime. */
export function testChance(suite: Suite): void {
  const { runtime } = suite;
  const number = (index: number, version: Version, victim: Role) =>
    SEED + index * 4 + VERSIONS.indexOf(version) * 2 + (victim === "server" ? 0 : 1);

  for (const version of VERSIONS) {
    Deno.test(`${runtime}: ${version}: a server withstands ${CONNECTIONS} clients that act by chance`, async () => {
      const victim = await suite.victim();
      const { server, port } = await victim.call("serve", {
        options: { ...serverCert("ec_p256"), alpnProtocols: [HONEST] },
        resumption: resumptionOf("stateful"),
      });
      using held = await HonestClient.open(port);
      const sessions: Session[] = [];
      const watch = await Watch.begin(victim, { wasm: 4 * MiB });
      using meanwhile = new Meanwhile(() => victim.guard(held.echo(), "an honest connection"));
      for (let index = 0; index < CONNECTIONS; index++) {
        const random = new Random(number(index, version, "server"));
        const versions = random.chance(0.9) ? [version] : VERSIONS;
        const offered = random.chance(0.3) ? sessions.slice(-1) : [];
        await using client = await Client.connect(port, {
          versions,
          sessions: offered.map((session) => perhapsChanged(random, session)),
          ...framing(random),
        });
        await victim.guard(misbehave(random, client), `connection ${index}`);
        sessions.push(...client.sessions);
        assertBlame(await victim.call("ended", { server }), `connection ${index}`);
        await watch.look();
      }
      await meanwhile.end();
      await HonestClient.visit(port);
      await watch.end();
      await victim.call("stop", { server });
    });

    Deno.test(`${runtime}: ${version}: a client withstands ${CONNECTIONS} servers that act by chance`, async () => {
      const victim = await suite.victim();
      await using listener = await listen();
      const options = { caCerts: [caCert("ec")] };
      const held = await victim.call("hold", { port: suite.honest.port, options });
      // Clients of the victim keep sessions, and resume them.
      const sessions: Session[] = [];
      const watch = await Watch.begin(victim, { wasm: 4 * MiB });
      using meanwhile = new Meanwhile(() => victim.call("echo", { held }));
      for (let index = 0; index < CONNECTIONS; index++) {
        const random = new Random(number(index, version, "client"));
        const versions = random.chance(0.9) ? [version] : VERSIONS;
        const store = `chance ${version}`;
        const ended = victim.call("connect", { port: listener.port, options, store });
        ended.catch(() => {});
        await using server = await listener.accept({ versions, sessions, ...framing(random) });
        await victim.guard(misbehave(random, server), `connection ${index}`);
        assertBlame(await ended, `connection ${index}`);
        await watch.look();
      }
      await meanwhile.end();
      await watch.end();
      await victim.call("release", { held });
    });
  }
}
