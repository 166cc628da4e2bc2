/**
 * Registers attacks as tests on a runtime: one victim serves a file, and is replaced once it is lost
 * or where an attack wants a fresh one.
 *
 * @module
 */

import type { Attack } from "./attack.ts";
import { HonestClient, HonestServer } from "./honest.ts";
import { runTrial } from "./trial.ts";
import { type Bundle, bundleVictim } from "./victims/bundle.ts";
import { Victim, type VictimRuntime } from "./victims/process.ts";
import { caCert, serverCert } from "../testdata/mod.ts";

/** What the tests of a file share. */
export class Suite {
  readonly runtime: VictimRuntime;
  honest!: HonestServer;
  #bundle: Bundle | undefined;
  #victim: Victim | undefined;

  /** Registers its beginning and its end with the test file. */
  constructor(runtime: VictimRuntime) {
    this.runtime = runtime;
    // A victim outlives the test that started it.
    Deno.test.sanitizer({ ops: false, resources: false });
    Deno.test.beforeAll(async () => {
      this.honest = new HonestServer();
      if (runtime !== "Deno") this.#bundle = await bundleVictim();
    });
    Deno.test.afterAll(async () => {
      await this.#victim?.[Symbol.asyncDispose]();
      await this.honest[Symbol.asyncDispose]();
      await this.#bundle?.[Symbol.asyncDispose]();
    });
  }

  /** Starts a victim that the test owns. */
  start(options: { pages?: number } = {}): Promise<Victim> {
    return Victim.start(this.runtime, { ...options, bundle: this.#bundle?.folder });
  }

  /** The victim that tests share; a new one once it is lost, or where that is asked for. */
  async victim(fresh = false): Promise<Victim> {
    if (this.#victim !== undefined && !fresh && !this.#victim.lost) return this.#victim;
    await this.#victim?.[Symbol.asyncDispose]();
    this.#victim = undefined;
    const victim = await this.start();
    this.#victim = victim;
    await warmUp(victim, this.honest.port);
    return victim;
  }

  /** Registers attacks as tests. */
  test(attacks: readonly Attack[]): void {
    for (const attack of attacks) {
      Deno.test(`${this.runtime}: ${attack.name}`, async () => {
        await runTrial(await this.victim(attack.fresh), this.honest, attack);
      });
    }
  }
}

/** Has a victim take what memory its first connections take, so that bounds are on attacks alone. */
async function warmUp(victim: Victim, port: number): Promise<void> {
  const held = await victim.call("hold", { port, options: { caCerts: [caCert("ec")] } });
  await victim.call("echo", { held });
  await victim.call("release", { held });
  const { server, port: own } = await victim.call("serve", { options: serverCert("ec_p256") });
  const client = await HonestClient.open(own);
  await client.echo(1_000_000);
  client[Symbol.dispose]();
  await victim.call("ended", { server });
  await victim.call("stop", { server });
  await settle(victim);
}

/** Waits until the runtime has opened what file descriptors it opens by itself, in its first second. */
async function settle(victim: Victim): Promise<void> {
  const LOOKS = 20;
  const SAME = 4;
  let last: number | null = null;
  for (let looks = 0, same = 0; looks < LOOKS && same < SAME; looks++) {
    const { descriptors } = await victim.look();
    same = descriptors === last ? same + 1 : 0;
    last = descriptors;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}
