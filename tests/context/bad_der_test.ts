/**
 * Guards that what only the engine can parse is refused by the name of its option.
 *
 * @module
 */

import { assertRejects } from "@std/assert";

import { type ClientContextOptions, connectTls } from "../../mod.ts";
import { startSilentServer } from "../peers/raw.ts";
import { caCert, clientCert } from "../testdata/mod.ts";

const pem = (label: string) => `-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`;
const ec = clientCert("ec");
const rsa = clientCert("rsa");

const CASES: [string, ClientContextOptions, string][] = [
  ["caCerts", { caCerts: [pem("CERTIFICATE")] }, '"caCerts"'],
  ["crls", { caCerts: [caCert("ec")], crls: [pem("X509 CRL")] }, '"crls"'],
  ["cert", { caCerts: [caCert("ec")], cert: pem("CERTIFICATE"), key: ec.key }, '"cert"'],
  ["key", { caCerts: [caCert("ec")], cert: ec.cert, key: pem("PRIVATE KEY") }, '"key"'],
  ["cert and key of two", { caCerts: [caCert("ec")], cert: ec.cert, key: rsa.key }, '"key"'],
];

for (const [name, options, message] of CASES) {
  Deno.test(`connectTls() names the option when the DER is bad: ${name}`, async () => {
    await using server = startSilentServer();
    await assertRejects(
      () => connectTls({ hostname: "127.0.0.1", port: server.port, ...options }),
      TypeError,
      message,
    );
  });
}
