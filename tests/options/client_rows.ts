/**
 * The rows of a client's context: what each option accepts, and what it changes of the fingerprint.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ClientContext, type ClientContextOptions } from "../../mod.ts";
import { KEY_PKCS8, LEAF } from "../context/pem.ts";
import { FUNCTIONS, type Kind } from "./kinds.ts";
import type { Rows } from "./table.ts";

const PLAIN = new ClientContext().fingerprint;

/** The context is the one without the option, or another one for these kinds. */
const changes = (...kinds: Kind[]) => (context: ClientContext, kind: Kind) =>
  assertEquals(context.fingerprint !== PLAIN, kinds.includes(kind), kind);

export const CLIENT_ROWS: Rows<ClientContextOptions> = {
  caCerts: { accepts: [] },
  defaultRoots: { accepts: ["true"], effect: changes() },
  cert: { accepts: [], beside: { key: KEY_PKCS8 }, needed: true },
  key: { accepts: [], beside: { cert: LEAF }, needed: true },
  alpnProtocols: {
    accepts: ["an empty array", "an array of a string"],
    effect: changes("an array of a string"),
  },
  minVersion: { accepts: [] },
  maxVersion: { accepts: [] },
  cipherSuites: { accepts: [] },
  verify: { accepts: FUNCTIONS, effect: changes() },
  crls: { accepts: ["an empty array"], effect: changes() },
  pinnedKeys: { accepts: ["an empty array"], effect: changes() },
  resumption: { accepts: [] },
  revocationEpoch: { accepts: ["0", "-0", "1", "2^31"], effect: changes("1", "2^31") },
  onDiagnostic: { accepts: FUNCTIONS, effect: changes() },
  keyLog: { accepts: FUNCTIONS, effect: changes() },
  dangerDisableVerification: { accepts: ["true", "false"], effect: changes("true") },
  dangerDisableHostnameVerification: { accepts: ["true", "false"], effect: changes("true") },
};
