/**
 * Names that clients ask for (RFC 6066 §3): of odd forms, none, and several.
 *
 * @module
 */

import type { Attack } from "../attack.ts";
import {
  concat,
  dropExtension,
  extensions,
  ExtensionType,
  setExtension,
  u8,
  vector16,
} from "../attacker/mod.ts";
import { helloWith } from "./client_hellos.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";

/** The attacks. */
export const NAMES: Attack[] = [
  ...helloWith("answers a client that asks for no name", (hello) => {
    dropExtension(hello, ExtensionType.server_name);
  }, { outcome: "goes on" }),
  ...([
    ["in capitals", "LOCALHOST"],
    ["that nobody has", "nobody.example"],
    ["with an underscore", "a_b.example"],
    ["of 253 characters", `${"a.".repeat(126)}a`],
  ] as const).flatMap(([what, name]) =>
    helloWith(`answers a client that asks for a name ${what}`, (hello) => {
      setExtension(hello, ExtensionType.server_name, extensions.serverName(name).data);
    }, { outcome: "goes on" })
  ),
  ...([
    ["that is empty", ""],
    ["with a NUL", "localhost\0.example"],
    ["with a space", "local host"],
    ["of 300 characters", "a".repeat(300)],
    ["of 30,000 characters", "a.".repeat(15_000)],
    ["that is no ASCII", "löcalhost"],
    ["with a slash", "localhost/../x"],
  ] as const).flatMap(([what, name]) =>
    helloWith(`refuses a client that asks for a name ${what}`, (hello) => {
      setExtension(hello, ExtensionType.server_name, extensions.serverName(name).data);
    }, { outcome: { code: misbehaved } })
  ),
  ...helloWith("refuses two names", (hello) => {
    const { data } = extensions.serverName("localhost", "other.example");
    setExtension(hello, ExtensionType.server_name, data);
  }, { outcome: { code: misbehaved } }),
  ...helloWith("refuses an empty list of names", (hello) => {
    setExtension(hello, ExtensionType.server_name, vector16());
  }, { outcome: { code: misbehaved } }),
  ...helloWith("refuses a name of no known kind", (hello) => {
    const entry = concat(u8(7), vector16(new Uint8Array(5)));
    setExtension(hello, ExtensionType.server_name, vector16(entry));
  }, { outcome: { code: misbehaved } }),
];
