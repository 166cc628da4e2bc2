/**
 * Runs an attack on a victim, and looks at everything that must hold: the outcome on both ends, an
 * honest connection of the same victim before, during and after it, memory, timers, rejections, file
 * descriptors.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { caCert, clientCert, serverCert } from "../testdata/mod.ts";
import type { Attack, Outcome } from "./attack.ts";
import {
  Client,
  type ClientOptions,
  type Ending,
  listen,
  type Peer,
  Refused,
  type ServerOptions,
} from "./attacker/mod.ts";
import { HONEST, HonestClient, type HonestServer, Meanwhile } from "./honest.ts";
import type { Victim } from "./victims/process.ts";
import type { End } from "./victims/protocol.ts";
import { Watch } from "./watch.ts";

/** Any peer's options; each takes what it knows. */
type PeerOptions = ClientOptions & ServerOptions;

/** The side of a trial that differs between the ends that are attacked. */
interface Arena {
  open(options: PeerOptions): Promise<Peer>;
  end(): Promise<End>;
}

/** Runs one attack. */
export async function runTrial(
  victim: Victim,
  honest: HonestServer,
  attack: Attack,
): Promise<void> {
  if (attack.victim === "server") await onServer(victim, attack);
  else await onClient(victim, honest, attack);
}

async function onServer(victim: Victim, attack: Attack): Promise<void> {
  const { options, ...serve } = attack.serve;
  const own = options?.clientAuth === "required" ? clientCert("ec") : undefined;
  const { server, port } = await victim.call("serve", {
    options: { ...serverCert("ec_p256"), alpnProtocols: [HONEST], ...options },
    ...serve,
  });
  try {
    // Only one that echoes can serve honest clients.
    if (serve.behaviour !== undefined) {
      const watch = await Watch.begin(victim, attack.bounds);
      await perform(attack, victim, attackServer(victim, server, port));
      return await watch.end();
    }
    using held = await HonestClient.open(port, own);
    await held.echo();
    const watch = await Watch.begin(victim, attack.bounds);
    using meanwhile = new Meanwhile(async () => {
      await victim.guard(held.echo(), "an honest connection goes on");
      await victim.guard(HonestClient.visit(port, own), "a new honest connection");
    });
    await perform(attack, victim, attackServer(victim, server, port));
    await meanwhile.end();
    await held.echo();
    await HonestClient.visit(port, own);
    await watch.end();
  } finally {
    if (!victim.lost) await victim.call("stop", { server });
  }
}

function attackServer(victim: Victim, server: number, port: number): Arena {
  return {
    open: (options) => Client.connect(port, options),
    async end() {
      for (;;) {
        const end = await victim.call("ended", { server });
        if (end.handshake?.alpnProtocol !== HONEST) return end;
      }
    },
  };
}

async function onClient(victim: Victim, honest: HonestServer, attack: Attack): Promise<void> {
  await using listener = await listen();
  const base = { port: honest.port, options: { caCerts: [caCert("ec")] } };
  const held = await victim.call("hold", base);
  const connecting: Promise<End>[] = [];
  try {
    await victim.call("echo", { held });
    const watch = await Watch.begin(victim, attack.bounds);
    using meanwhile = new Meanwhile(() => victim.call("echo", { held }));
    const { options: more, ...connect } = attack.connect;
    await perform(attack, victim, {
      async open(options) {
        const end = victim.call("connect", {
          ...connect,
          options: { ...base.options, ...more },
          port: listener.port,
        });
        end.catch(() => {});
        connecting.push(end);
        const failed = end.then(({ error }): never => {
          throw new Error(`The victim has not connected: ${JSON.stringify(error)}`);
        });
        return await Promise.race([listener.accept(options), failed]);
      },
      end: () => connecting.shift()!,
    });
    await meanwhile.end();
    await victim.call("echo", { held });
    await watch.end();
  } finally {
    if (!victim.lost) await victim.call("release", { held });
  }
}

/** The attacker's part: the handshake, the script, the end, and what came of it. */
async function perform(attack: Attack, victim: Victim, arena: Arena): Promise<void> {
  const peers: Peer[] = [];
  let ended = 0;
  const open = async (options: PeerOptions = {}) => {
    const peer = await arena.open({ ...attack.peer, ...options });
    peers.push(peer);
    return peer;
  };
  const end = () => {
    ended++;
    return arena.end();
  };
  const script = async () => {
    const peer = await open();
    if (attack.after !== null) await peer.handshake(attack.after);
    await attack.run(peer, { victim, open, end });
    const last = peers.at(-1)!;
    if (attack.outcome === "goes on") {
      await last.handshake();
      await last.echo();
    }
    return typeof attack.outcome === "string" ? await last.bye() : await last.readToEnd();
  };
  const scripted = script().catch(async (error) => {
    if (!(error instanceof Refused) || typeof attack.outcome === "string") throw error;
    return await peers.at(-1)!.readToEnd();
  });
  try {
    const ending = await victim.guard(scripted, "the attack's end");
    const ends: End[] = [];
    if (attack.outcome !== "as the script says") {
      for (; ended < peers.length; ended++) ends.push(await arena.end());
    }
    assertOutcome(attack.outcome, ending, ends);
  } finally {
    for (const peer of peers) await peer[Symbol.asyncDispose]();
  }
}

function assertOutcome(outcome: Outcome, ending: Ending, ends: readonly End[]): void {
  if (outcome === "as the script says") return;
  const errors = ends.flatMap(({ error }) => error === null ? [] : [error]);
  const told = JSON.stringify({ ending, errors });
  if (typeof outcome === "string") {
    assertEquals(errors, []);
    assertEquals(ending.alert, null, told);
    // What nobody reads any more makes of the end of TCP a reset, and that may take something away.
    const whole = outcome === "goes on" || ending.how === "closed";
    if (whole) assertEquals([ending.how, ending.closeNotify], ["closed", true], told);
    return;
  }
  const codes = [outcome.code].flat();
  assertEquals(errors.length, 1, told);
  assert(codes.includes(errors[0].code ?? ""), `${codes.join(" or ")} is expected: ${told}`);
  if (outcome.alert === undefined) return;
  assertEquals(errors[0].alert ?? null, outcome.alert, told);
  // A reset, as of a victim that has left something unread, may take the alert away.
  const lost = ending.how === "reset" && ending.alert === null;
  if (!lost) assertEquals(ending.alert, outcome.alert, told);
}
