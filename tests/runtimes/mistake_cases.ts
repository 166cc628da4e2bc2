/**
 * What a caller's mistakes come to in every runtime: an error that says so, and nothing silent.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { startOpensslServer } from "../peers/openssl.ts";
import { startSilentServer } from "../peers/raw.ts";
import { fixture } from "../session/fixtures.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import type { Case } from "./case.ts";
import type { Runtime } from "./runtime.ts";

function mistakes(runtime: Runtime): Promise<Record<string, string>> {
  const session = fixture("format1_tls13").toHex();
  return runtime.call("mistakes", { ...serverCert("ec_p256"), session });
}

/** What not every runtime has, and which has it. */
const ONLY_SOME: Record<string, readonly string[]> = { indexedDB: ["browser"] };

/** Names as they are asked for and verified, in one spelling for all runtimes. */
const NAMES: Record<string, string> = {
  "LOCALHOST.": "localhost",
  "BÜCHER.example": "xn--bcher-kva.example",
  "bu\u0308cher.example": "xn--bcher-kva.example",
  "straße.example": "xn--strae-oqa.example",
  "日本語.example": "xn--wgv71a119e.example",
  "[2001:DB8:0:0::1]": "2001:db8::1",
};

const NO_NAMES = [
  "evil.example/é.trusted.example",
  "user@localhost",
  "localhost:443",
  "localhost..",
  "é\u200b.example",
  "é。example",
  "１２７.０.０.１",
  "ſ.example",
  "127.1",
  "0x7f.1",
  "fe80::1%eth0",
  "\ud800.example",
];

export const MISTAKE_CASES: readonly Case[] = [
  {
    name: "is told when it clones a session, a context or keys, and gets no empty object",
    async fn(runtime) {
      const told = await mistakes(runtime);
      for (
        const name of ["Session", "ClientContext", "ServerContext", "SealingKeys", "TicketKeys"]
      ) {
        assertMatch(told[`structuredClone(${name})`], /^DataCloneError: /, name);
        assertMatch(told[`JSON(${name})`], new RegExp(`^".*${name}.*"$`));
        assertEquals(told[`keys(${name})`], "[]");
        for (const [how, where] of Object.entries(ONLY_SOME)) {
          const outcome = told[`${how}(${name})`];
          if (where.includes(runtime.name)) assertMatch(outcome, /^DataCloneError: /, how);
          else assert(/^(DataCloneError: .*|not there)$/.test(outcome), `${how}: ${outcome}`);
        }
        assertMatch(told[`postMessage(${name})`], /^(DataCloneError: .*|not there)$/);
      }
    },
  },
  {
    name: "is told of bytes that are gone, and its engine lives",
    async fn(runtime) {
      const told = await mistakes(runtime);
      assertMatch(told["detached"], /^TypeError: Argument "bytes" .*was detached/);
      assertMatch(told["out of bounds"], /^TypeError: Argument "bytes" .*out of the bounds/);
      assertMatch(told["Proxy"], /^TypeError: Argument "keys" .*a Proxy or an imitation/);
      assertEquals(told["alive"], '"localhost"');
    },
  },
  {
    name: "has inherited options count, and what weakens refused",
    async fn(runtime) {
      const told = await mistakes(runtime);
      assertMatch(told["inherited pins"], /^TypeError: Option "pinnedKeys"/);
      assertMatch(told["inherited danger"], /^TypeError: Option "dangerDisableVerification"/);
      assertMatch(told["inherited misspelling"], /^TypeError: Option "pinnedKey" is unknown/);
      assertEquals(told["polluted danger"], "true");
    },
  },
  {
    name: "names a server as every other runtime does",
    async fn(runtime) {
      await using peer = await startOpensslServer({ www: "www" });
      const options = { caCerts: [caCert("ec")], dangerDisableHostnameVerification: true };
      for (const [serverName, expected] of Object.entries(NAMES)) {
        const visited = await runtime.call("visit", { port: peer.port, options, serverName });
        assertEquals([visited.error, visited.info?.serverName], [undefined, expected]);
      }
      await using silent = startSilentServer();
      for (const serverName of NO_NAMES) {
        const { error } = await runtime.call("visit", { port: silent.port, options, serverName });
        assertEquals(error?.name, "TypeError", `${serverName}: ${error?.message}`);
        assertMatch(error!.message, /^Option "serverName" is neither/);
      }
    },
  },
];
