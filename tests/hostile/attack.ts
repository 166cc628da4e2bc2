/**
 * What an attack is: a script for the attacker's end of a connection, and what must come of it.
 *
 * Rules: a script is written once; `onBoth`, `onServers` and `onClients` make an attack of it for each
 * version, and for each end where both can be its victim. Names go on after "TLSv1.3: a server".
 *
 * @module
 */

import {
  type Client,
  type ClientOptions,
  type Peer,
  type Server,
  type ServerOptions,
  type Stage,
  type Version,
  VERSIONS,
} from "./attacker/mod.ts";
import type { ConnectInput, End, ServeInput } from "./victims/protocol.ts";
import type { Victim } from "./victims/process.ts";
import type { Bounds } from "./watch.ts";

/** Which end of a connection is attacked. */
export type Role = "client" | "server";

/** What must come of an attack. */
export type Outcome =
  /**
   * The victim ends the connection with this error, or one of these, and sends this alert; `null`: none; without it,
   * any or none.
   */
  | { code: string | readonly string[]; alert?: string | null }
  /** The connection goes on: it echoes, and ends in order. */
  | "goes on"
  /** The connection ends in order, with no error in the victim. */
  | "ends"
  /** The script has looked at everything itself. */
  | "as the script says";

/** Where an attack takes place, for what depends on it. */
export interface Place {
  victim: Role;
  version: Version;
}

/** What a script has beside its connection. */
export interface Scene<P extends Peer> {
  victim: Victim;
  /** Another connection to the same victim, with these options beside those of the attack. */
  open(options?: ClientOptions & ServerOptions): Promise<P>;
  /** What became of the oldest connection in the victim that has not been asked for; waits for it. */
  end(): Promise<End>;
}

/** An attack on one end, in one version. */
export interface Attack extends Place {
  name: string;
  /** What the attacker's end is like. */
  peer: ClientOptions & ServerOptions;
  /** How far the handshake goes, honestly, before the script runs; not at all: `null`. */
  after: Stage | null;
  run(peer: Peer, scene: Scene<Peer>): Promise<void>;
  outcome: Outcome;
  /** What the victim is like. */
  serve: Partial<ServeInput>;
  connect: Partial<ConnectInput>;
  bounds: Bounds;
  /** Whether it wants a victim that nobody has used before. */
  fresh: boolean;
}

/** A script, and where it applies. */
export interface Script<P extends Peer> {
  name: string;
  versions?: readonly Version[];
  peer?: ClientOptions & ServerOptions;
  /** `established` by default. */
  after?: Stage | null;
  run(peer: P, scene: Scene<P>, place: Place): Promise<void>;
  outcome: Outcome | ((place: Place) => Outcome);
  serve?: Partial<ServeInput>;
  connect?: Partial<ConnectInput>;
  bounds?: Bounds;
  fresh?: boolean;
}

function attack(script: Script<never>, place: Place): Attack {
  const { peer = {}, after = "established", outcome } = script;
  const run = script.run as Script<Peer>["run"];
  return {
    ...place,
    name: `${place.version}: a ${place.victim} ${script.name}`,
    peer: { versions: [place.version], ...peer },
    after,
    run: (peer, scene) => run(peer, scene, place),
    outcome: typeof outcome === "function" ? outcome(place) : outcome,
    serve: script.serve ?? {},
    connect: script.connect ?? {},
    bounds: script.bounds ?? {},
    fresh: script.fresh ?? false,
  };
}

/** The attacker is a client. */
export function onServers(script: Script<Client>): Attack[] {
  return (script.versions ?? VERSIONS).map((version) =>
    attack(script, { victim: "server", version })
  );
}

/** The attacker is a server. */
export function onClients(script: Script<Server>): Attack[] {
  return (script.versions ?? VERSIONS).map((version) =>
    attack(script, { victim: "client", version })
  );
}

/** The attacker is either. */
export function onBoth(script: Script<Peer>): Attack[] {
  return [...onServers(script), ...onClients(script)];
}
