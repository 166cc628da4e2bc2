/**
 * A session belongs to one virtual host and one configuration (CVE-2025-23419, CVE-2025-23048,
 * "STEK sharing is not caring"): brought to another one it costs a full handshake and is counted,
 * even where store and keys are shared. What is no change, as a renewed certificate, costs nothing.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type CipherSuite,
  type ClientContextOptions,
  ServerContext,
  type ServerContextOptions,
  TlsError,
} from "../../mod.ts";
import { bounded } from "../interop/visit.ts";
import { caCert, clientCert, crl, serverCert } from "../testdata/mod.ts";
import { connectTo, rebound, resumed, VERSIONS, visitAt } from "./client.ts";
import { serve } from "./in_process.ts";
import { MODES, sharedResumption } from "./shared.ts";

const A = "a.example";
const B = "b.example";

const AES: CipherSuite[] = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
];

/** The client takes any name: whether a session crosses is the server's decision alone. */
const ANY_NAME = { dangerDisableHostnameVerification: true };

/** Checks that a context refused one session, for one of these reasons, and resumed none. */
function assertRefused(context: ServerContext, reasons: string[]): void {
  const { missReasons, hits, acceptGood } = context.stats();
  const [[reason, count]] = Object.entries(missReasons);
  assert(reasons.includes(reason), reason);
  assertEquals([count, Object.keys(missReasons).length, hits, acceptGood], [1, 1, 0, 1]);
}

/** Two contexts and whether a session of the first may be resumed at the second. */
interface Pair {
  name: string;
  from: ServerContextOptions;
  to: ServerContextOptions;
  /** Options of the client, beside those of all. */
  client?: ClientContextOptions;
  /** The options are the same but for the certificate, which is not in the fingerprint. */
  byCertificate?: true;
}

const BY_CERTIFICATE = { client: ANY_NAME, byCertificate: true } as const;

const HOST = serverCert("ec_p256");
const HOSTS = { [A]: serverCert("a_example"), [B]: serverCert("b_example") };
const REQUIRED = { clientAuth: "required", caCerts: [caCert("ec")] } as const;
const OPTIONAL = { clientAuth: "optional", caCerts: [caCert("ec")] } as const;

const SEPARATE: Pair[] = [
  {
    name: "other virtual hosts",
    from: { ...HOST, sni: { [A]: HOSTS[A] } },
    to: { ...HOST, sni: { [B]: HOSTS[B] } },
  },
  { name: "virtual hosts by a resolver instead", from: HOST, to: { ...HOST, sni: () => null } },
  { name: "client authentication", from: HOST, to: { ...HOST, ...REQUIRED } },
  { name: "optional client authentication", from: HOST, to: { ...HOST, ...OPTIONAL } },
  { name: "no client authentication", from: { ...HOST, ...REQUIRED }, to: HOST },
  {
    name: "required instead of optional client authentication",
    from: { ...HOST, ...OPTIONAL },
    to: { ...HOST, ...REQUIRED },
  },
  {
    name: "other authorities for clients",
    from: { ...HOST, ...REQUIRED },
    to: { ...HOST, ...REQUIRED, caCerts: [caCert("ec"), caCert("rsa")] },
  },
  {
    name: "revocation lists for clients",
    from: { ...HOST, ...REQUIRED },
    to: { ...HOST, ...REQUIRED, crls: [crl("ec_empty")] },
  },
  {
    name: "other application protocols",
    from: { ...HOST, alpnProtocols: ["h2"] },
    to: { ...HOST, alpnProtocols: ["h2", "http/1.1"] },
  },
  { name: "a new revocationEpoch", from: HOST, to: { ...HOST, revocationEpoch: 1 } },
  { name: "another sessionContext", from: HOST, to: { ...HOST, sessionContext: "b" } },
  {
    name: "another server's certificate",
    from: HOSTS[A],
    to: HOSTS[B],
    ...BY_CERTIFICATE,
  },
  {
    name: "another server's certificate by a resolver",
    from: { sni: () => HOSTS[A] },
    to: { sni: () => HOSTS[B] },
    ...BY_CERTIFICATE,
  },
  {
    name: "a certificate of fewer names",
    from: HOST,
    to: HOSTS[A],
    ...BY_CERTIFICATE,
  },
];

const SAME: Pair[] = [
  { name: "the same options", from: HOST, to: HOST },
  { name: "a renewed certificate", from: HOST, to: serverCert("ec_p256_renewed") },
  {
    name: "a renewed certificate of a virtual host",
    from: { sni: { localhost: HOST } },
    to: { sni: { localhost: serverCert("ec_p256_renewed") } },
  },
  {
    name: "application protocols in another order",
    from: { ...HOST, alpnProtocols: ["http/1.1", "h2"] },
    to: { ...HOST, alpnProtocols: ["h2", "http/1.1"] },
  },
  { name: "a verify callback", from: HOST, to: { ...HOST, verify: () => true } },
  {
    name: "a further certificate for the same names",
    from: HOST,
    to: { certificates: [serverCert("ec_p256_renewed"), HOST] },
  },
  {
    name: "the same sessionContext",
    from: { ...HOST, sessionContext: "a" },
    to: { ...HOST, sessionContext: "a" },
  },
  {
    name: "the same certificate by a resolver",
    from: { sni: () => HOST },
    to: { sni: () => Promise.resolve(HOST) },
  },
];

/** What the client needs of its own so that every pair takes it. */
const CLIENT = { ...clientCert("ec"), alpnProtocols: ["h2"] };

for (const mode of MODES) {
  for (const version of VERSIONS) {
    for (const { name, from, to, client } of SEPARATE) {
      Deno.test(`a session is not carried to ${name}, ${mode}, ${version}`, async () => {
        const resumption = await sharedResumption(mode);
        await using first = await serve({ ...from, resumption });
        await using second = await serve({ ...to, resumption });
        const options = { version, ...CLIENT, ...client };
        const begun = await visitAt(first, options);
        const session = begun.client.session!;
        const seen = await visitAt(second, { ...options, session });
        assertEquals(resumed(seen), [false, false]);
        assertEquals(seen.client.miss, "declined_by_peer");
        assertRefused(second.context, ["other_context", "other_server", "tampered"]);
        assertEquals(Object.keys(second.context.stats().missReasons), [seen.server.miss]);
        assertEquals(seen.server.peer.length, to.clientAuth === undefined ? 0 : 1);
        const again = await visitAt(second, { ...options, session: seen.client.session });
        assertEquals(resumed(again), [true, true], "its own sessions are resumed");
      });
    }

    for (const { name, from, to } of SAME) {
      Deno.test(`a session is carried to ${name}, ${mode}, ${version}`, async () => {
        const resumption = await sharedResumption(mode);
        await using first = await serve({ ...from, resumption });
        await using second = await serve({ ...to, resumption });
        const begun = await visitAt(first, { version, ...CLIENT });
        const { session } = begun.client;
        const seen = await visitAt(second, { version, ...CLIENT, session });
        assertEquals(resumed(seen), [true, true]);
        assertEquals(second.context.stats().missReasons, {});
      });
    }

    Deno.test(
      `a session whose cipher suite is no longer taken is not resumed, ${mode}, ${version}`,
      async () => {
        const resumption = await sharedResumption(mode);
        await using first = await serve({ ...HOST, resumption });
        const { client } = await visitAt(first, { version });
        assert(!AES.includes(client.info.cipherSuite));
        await using second = await serve({ ...HOST, resumption, cipherSuites: AES });
        const seen = await visitAt(second, { version, session: client.session });
        assertEquals(resumed(seen), [false, false]);
        assertRefused(second.context, ["suite_unavailable"]);
      },
    );

    Deno.test(
      `one context does not carry a session from virtual host to virtual host, ${mode}, ${version}`,
      async () => {
        const resumption = await sharedResumption(mode);
        await using server = await serve({ sni: HOSTS, resumption });
        const options = { version, ...ANY_NAME };
        const { client } = await visitAt(server, { ...options, hostname: A });
        const session = rebound(client.session!, { serverName: B });
        const seen = await visitAt(server, { ...options, hostname: B, session });
        assertEquals(resumed(seen), [false, false]);
        assert(["other_server", "tampered"].includes(seen.server.miss!), `${seen.server.miss}`);
        assertEquals(server.context.stats().missReasons, { [seen.server.miss!]: 1 });
        const own = await visitAt(server, {
          ...options,
          hostname: B,
          session: seen.client.session,
        });
        assertEquals(resumed(own), [true, true]);
      },
    );

    Deno.test(
      `a session without a name is not carried to a named host, or back, ${mode}, ${version}`,
      async () => {
        const resumption = await sharedResumption(mode);
        await using server = await serve({ ...HOST, sni: HOSTS, resumption });
        const options = { version, ...ANY_NAME };
        for (const [from, to] of [["127.0.0.1", A], [A, "127.0.0.1"]]) {
          const { client } = await visitAt(server, { ...options, hostname: from });
          const session = rebound(client.session!, { serverName: to });
          const seen = await visitAt(server, { ...options, hostname: to, session });
          assertEquals(resumed(seen), [false, false]);
        }
        const { missReasons, hits } = server.context.stats();
        assertEquals([Object.values(missReasons), hits], [[2], 0]);
      },
    );

    Deno.test(
      `a session without a client certificate lets nobody in who must have one, ${mode}, ${version}`,
      async () => {
        const resumption = await sharedResumption(mode);
        await using first = await serve({ ...HOST, resumption });
        await using second = await serve({ ...HOST, ...REQUIRED, resumption });
        const { client } = await visitAt(first, { version });
        const refused = async () => {
          await using conn = await connectTo(second, { version, session: client.session });
          // On TLS 1.3 the client is ready before the server has looked for its certificate.
          await bounded(conn.read(new Uint8Array(1)), "the refusal");
        };
        const error = await assertRejects(refused, TlsError);
        assertEquals(error.code, "ERR_TLS_ALERT_RECEIVED");
        await second.failed(1);
        assertEquals([second.errors.length, second.reports.length], [1, 0]);
        assertEquals(second.context.stats().acceptGood, 0);
      },
    );
  }
}

Deno.test("contexts whose options carry no session across have other fingerprints", () => {
  const of = (options: ServerContextOptions) => new ServerContext(options).fingerprint;
  for (const { name, from, to, byCertificate = false } of SEPARATE) {
    assertEquals(of(from) === of(to), byCertificate, name);
  }
  for (const { name, from, to } of SAME) assertEquals(of(from), of(to), name);
});
