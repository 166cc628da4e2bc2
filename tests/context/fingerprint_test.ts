/**
 * `ClientContext.fingerprint`: stored sessions are bound to it, so it must be the same in every
 * build, process and order of options, and differ wherever a session may rely on the difference.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type CipherSuite, ClientContext, type ClientContextOptions } from "../../mod.ts";
import { CIPHER_SUITES } from "../../src/registry.ts";
import {
  CRL_A,
  CRL_B,
  INTERMEDIATE,
  KEY_PKCS8,
  KEY_SEC1,
  LEAF,
  PIN_A,
  PIN_B,
  ROOT_A,
  ROOT_B,
} from "./pem.ts";

const fingerprint = (options?: ClientContextOptions) => new ClientContext(options).fingerprint;

/** Sessions in stores are bound to these: a change here is a change of the format. */
const GOLDEN: [ClientContextOptions, string][] = [
  [{}, "e9853e4c6576c78177b17c9f2fe507bed78115fa9d396cbdffa702da53851653"],
  [{ caCerts: [ROOT_A] }, "cb360dcdf555563cc10dbd3c92eb88862caf3886cd8f9122aade7f65d2a68ce3"],
  [{
    caCerts: [ROOT_A, ROOT_B],
    defaultRoots: true,
    cert: LEAF + INTERMEDIATE,
    key: KEY_PKCS8,
    alpnProtocols: ["h2", "http/1.1"],
    minVersion: "TLSv1.3",
    cipherSuites: ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"],
    crls: [CRL_A],
    pinnedKeys: [PIN_A, PIN_B],
    revocationEpoch: 7,
  }, "64970c9ea5cb7e3448ed6640a240698d1b7d561f29430a3b9cb6345cd9c59e07"],
];

for (const [i, [options, golden]] of GOLDEN.entries()) {
  Deno.test(`the fingerprint is the same in every build, golden value ${i}`, () => {
    assertEquals(fingerprint(options), golden);
  });
}

Deno.test("the fingerprint is 64 digits of lower-case hexadecimal", () => {
  assertMatch(fingerprint({ caCerts: [ROOT_A] }), /^[0-9a-f]{64}$/);
});

const BASE: ClientContextOptions = {
  caCerts: [ROOT_A, ROOT_B],
  alpnProtocols: ["h2", "http/1.1"],
  cipherSuites: ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"],
  pinnedKeys: [PIN_A, PIN_B],
  crls: [CRL_A],
  cert: LEAF,
  key: KEY_PKCS8,
};

/** Each says the same as `BASE`, in other words. */
const SAME: Record<string, ClientContextOptions> = {
  "the order of roots": { caCerts: [ROOT_B, ROOT_A] },
  "roots in one string": { caCerts: [ROOT_A + ROOT_B] },
  "roots given twice": { caCerts: [ROOT_A, ROOT_B, ROOT_A] },
  "text around the PEM": {
    caCerts: [`Root A\n${ROOT_A}\r\n\r\n`, ROOT_B.replaceAll("\n", "\r\n")],
  },
  "the order of ALPN protocols": { alpnProtocols: ["http/1.1", "h2"] },
  "an ALPN protocol given twice": { alpnProtocols: ["h2", "http/1.1", "h2"] },
  "the order of suites": { cipherSuites: ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"] },
  "the order of pins": { pinnedKeys: [PIN_B, PIN_A] },
  "the default versions, spelt out": { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" },
  "the default of an option, spelt out": { defaultRoots: false, revocationEpoch: 0 },
  "an undefined option": { verify: undefined, minVersion: undefined },
  "other revocation lists: they are checked anew": { crls: [CRL_B, CRL_A] },
  "a verify callback: it is asked anew": { verify: () => true },
  "a key log": { keyLog: () => {} },
  "where sessions are kept": { resumption: "memory" },
  "a callback for diagnostics": { onDiagnostic: () => {} },
  "another encoding of the key": { key: KEY_SEC1 },
};

for (const [what, options] of Object.entries(SAME)) {
  Deno.test(`the fingerprint does not depend on ${what}`, () => {
    assertEquals(fingerprint({ ...BASE, ...options }), fingerprint(BASE));
  });
}

Deno.test("all suites by name are the same as none named", () => {
  const cipherSuites = Object.keys(CIPHER_SUITES) as CipherSuite[];
  assertEquals(fingerprint({ cipherSuites }), fingerprint());
});

Deno.test("a suite of a version that is not offered does not count", () => {
  const of13: CipherSuite[] = ["TLS_AES_128_GCM_SHA256"];
  const both: CipherSuite[] = [...of13, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"];
  const minVersion = "TLSv1.3";
  assertEquals(
    fingerprint({ minVersion, cipherSuites: both }),
    fingerprint({ minVersion, cipherSuites: of13 }),
  );
});

/** Each says something else than `BASE`, and than each other. */
const OTHER: Record<string, ClientContextOptions> = {
  "another root": { caCerts: [ROOT_A, LEAF] },
  "one root less": { caCerts: [ROOT_A] },
  "the default roots besides": { defaultRoots: true },
  "no client certificate": { cert: undefined, key: undefined },
  "another client certificate": { cert: INTERMEDIATE },
  "a longer client chain": { cert: LEAF + INTERMEDIATE },
  "a client chain in another order": { cert: INTERMEDIATE + LEAF },
  "another ALPN protocol": { alpnProtocols: ["h2", "http/1.0"] },
  "one ALPN protocol less": { alpnProtocols: ["h2"] },
  "ALPN protocols run together": { alpnProtocols: ["h2http/1.1"] },
  "no ALPN protocols": { alpnProtocols: [] },
  "TLS 1.3 only": { minVersion: "TLSv1.3" },
  "TLS 1.2 only": { maxVersion: "TLSv1.2", cipherSuites: undefined },
  "one suite less": { cipherSuites: ["TLS_AES_128_GCM_SHA256"] },
  "all suites": { cipherSuites: undefined },
  "no revocation lists": { crls: [] },
  "another pin": { pinnedKeys: [PIN_A] },
  "no pins": { pinnedKeys: [] },
  "another revocation epoch": { revocationEpoch: 1 },
  "yet another revocation epoch": { revocationEpoch: 2 },
  "no verification": { dangerDisableVerification: true },
  "no verification of names": { dangerDisableHostnameVerification: true },
};

for (const [what, options] of Object.entries(OTHER)) {
  Deno.test(`the fingerprint is another one with ${what}`, () => {
    const own = fingerprint({ ...BASE, ...options });
    assert(own !== fingerprint(BASE));
    for (const [other, otherOptions] of Object.entries(OTHER)) {
      if (other !== what) assert(own !== fingerprint({ ...BASE, ...otherOptions }), other);
    }
  });
}

Deno.test("a context does not change with the arrays that it was made from", () => {
  const caCerts = [ROOT_A];
  const alpnProtocols = ["h2"];
  const context = new ClientContext({ caCerts, alpnProtocols });
  const before = context.fingerprint;
  caCerts.push(ROOT_B);
  alpnProtocols[0] = "x";
  assertEquals(context.fingerprint, before);
});
