/**
 * Which certificate a server answers with: by the name that the client asks for, from a map or from
 * whoever is asked, and by the signatures that the client knows. A name that is not served gets the
 * alert for it.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ServerContextOptions, TlsConn } from "../../mod.ts";
import { opensslClient } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { serverCert, type ServerCertName } from "../testdata/mod.ts";
import { answered } from "./answer.ts";
import { serverDer } from "./certificates.ts";
import { connectTo, VERSIONS } from "./client.ts";
import { serve, type TestServer } from "./in_process.ts";

const openssl = needs("openssl");
const ALERT = "ERR_TLS_ALERT_RECEIVED";
const EC = serverCert("ec_p256");
const A = serverCert("a_example");
const B = serverCert("b_example");

/** What the server answers a client that asks for a name: its certificate, or the alert. */
async function answerTo(
  server: TestServer,
  hostname: string,
  version: typeof VERSIONS[number] = "TLSv1.3",
): Promise<string | { code: string; alert: string }> {
  let conn: TlsConn;
  try {
    // Whose certificate it is, the tests say: here any will do.
    const dangerDisableHostnameVerification = true;
    conn = await connectTo(server, { hostname, version, dangerDisableHostnameVerification });
  } catch (error) {
    const { code, alert } = error as { code: string; alert: string };
    return { code, alert };
  }
  await using closing = conn;
  return (await closing.handshake()).peerCertificates[0].toHex();
}

const UNRECOGNIZED = { code: ALERT, alert: "unrecognized_name" };
const INTERNAL = { code: ALERT, alert: "internal_error" };

/** A map, and what it answers for names. */
const MAPS: { name: string; options: ServerContextOptions; answers: [string, ServerCertName][] }[] =
  [
    {
      name: "a name gets its own certificate",
      options: { ...EC, sni: { "a.example": A, "b.example": B } },
      answers: [["a.example", "a_example"], ["b.example", "b_example"], ["A.EXAMPLE", "a_example"]],
    },
    {
      name: "a name that is not in the map gets the default",
      options: { ...EC, sni: { "a.example": A } },
      answers: [["c.example", "ec_p256"], ["x.a.example", "ec_p256"], ["example", "ec_p256"]],
    },
    {
      name: "no name gets the default",
      options: { ...EC, sni: { "a.example": A } },
      answers: [["127.0.0.1", "ec_p256"]],
    },
    {
      name: "a wildcard is for one label",
      options: { ...EC, sni: { "*.example": A } },
      answers: [["a.example", "a_example"], ["x.a.example", "ec_p256"], ["example", "ec_p256"]],
    },
    {
      name: "a name of its own goes before a wildcard",
      options: { ...EC, sni: { "*.example": A, "b.example": B } },
      answers: [["a.example", "a_example"], ["b.example", "b_example"]],
    },
    {
      name: "keys of the map are written in any case",
      options: { ...EC, sni: { "A.Example": A, "*.B.example": B } },
      answers: [["a.example", "a_example"], ["x.b.example", "b_example"]],
    },
  ];

for (const { name, options, answers } of MAPS) {
  for (const version of VERSIONS) {
    Deno.test(`SNI: ${name}, ${version}`, async () => {
      await using server = await serve(options);
      for (const [asked, cert] of answers) {
        assertEquals(await answerTo(server, asked, version), serverDer(cert), asked);
      }
      assertEquals(server.errors, []);
    });
  }
}

for (const version of VERSIONS) {
  Deno.test(`SNI: without a default an unknown name gets unrecognized_name, ${version}`, async () => {
    await using server = await serve({ sni: { "a.example": A } });
    assertEquals(await answerTo(server, "b.example", version), UNRECOGNIZED);
    assertEquals(await answerTo(server, "127.0.0.1", version), UNRECOGNIZED, "no name at all");
    assertEquals(await answerTo(server, "a.example", version), serverDer("a_example"));
    await server.failed(2);
    assertEquals(
      server.errors.map(({ code, alert }) => [code, alert]),
      Array(2).fill(["ERR_TLS_PEER_INCOMPATIBLE", "unrecognized_name"]),
    );
  });

  Deno.test(`SNI: a resolver is asked for names, and may take its time, ${version}`, async () => {
    const asked: string[] = [];
    await using server = await serve({
      ...EC,
      async sni(name) {
        asked.push(name);
        await new Promise((resolve) => setTimeout(resolve, 5));
        return name === "a.example" ? A : name === "b.example" ? [B] : null;
      },
    });
    const names = ["A.example", "b.example", "c.example", "127.0.0.1", "a.example"];
    const seen = await Promise.all(names.map((name) => answerTo(server, name, version)));
    const certs = ["a_example", "b_example", "ec_p256", "ec_p256", "a_example"] as const;
    assertEquals(seen, certs.map(serverDer));
    assertEquals(asked.sort(), ["a.example", "a.example", "b.example", "c.example"]);
  });
}

Deno.test("SNI: a resolver that knows no name, without a default, gets unrecognized_name", async () => {
  for (const nothing of [null, undefined]) {
    await using server = await serve({ sni: () => nothing });
    assertEquals(await answerTo(server, "a.example"), UNRECOGNIZED);
    assertEquals(await answerTo(server, "127.0.0.1"), UNRECOGNIZED);
  }
});

for (
  const [what, resolve] of [
    ["throws", () => {
      throw new Error("no database");
    }],
    ["rejects", () => Promise.reject(new Error("no database"))],
    ["gives no certificate", () => ({ cert: "", key: "" })],
    ["gives a key that is none", () => ({ cert: A.cert, key: A.cert })],
    ["gives an empty list", () => []],
    ["gives a certificate without its key", () => ({ cert: A.cert, key: B.key })],
  ] satisfies [string, (name: string) => unknown][]
) {
  Deno.test(`SNI: a resolver that ${what} ends that handshake, and no other`, async () => {
    await using server = await serve({
      sni: (name) => name === "a.example" ? resolve() as never : B,
    });
    const [bad, good] = await Promise.all([
      answerTo(server, "a.example"),
      answerTo(server, "b.example"),
    ]);
    assertEquals([bad, good], [INTERNAL, serverDer("b_example")]);
    await server.failed(1);
    assertEquals(server.errors.length, 1);
    assertEquals(await answerTo(server, "b.example"), serverDer("b_example"));
  });
}

const BOTH = { ...EC, certificates: [serverCert("rsa_2048")] };

/** OpenSSL as a client that knows some signatures only. */
async function opensslSees(server: TestServer, version: typeof VERSIONS[number], args: string[]) {
  const result = await opensslClient({ port: server.port, version, stdin: "hello\n", args });
  const { protocol } = answered(result.stdout);
  assertEquals(protocol, version);
  return result.stdout.match(/^Peer signature type: (\S+)$/m)![1];
}

for (const version of VERSIONS) {
  Deno.test(
    `a client gets the certificate whose signature it knows, ${version}`,
    openssl,
    async () => {
      await using server = await serve(BOTH);
      const rsa = ["-sigalgs", "rsa_pss_rsae_sha256:rsa_pkcs1_sha256"];
      // Its authority's signature, too, must be one of those.
      const ec = ["-sigalgs", "ecdsa_secp256r1_sha256"];
      assertEquals(await opensslSees(server, version, rsa), "RSA-PSS");
      assertEquals(await opensslSees(server, version, ec), "ECDSA");
      assertEquals(await opensslSees(server, version, []), "ECDSA", "the first one by default");
      await using other = await serve({ ...serverCert("rsa_2048"), certificates: [EC] });
      assertEquals(await opensslSees(other, version, []), "RSA-PSS", "the first one by default");
    },
  );
}

Deno.test("a TLS 1.2 client gets the certificate that its suites can use", openssl, async () => {
  await using server = await serve(BOTH);
  for (const [kind, type] of [["ECDSA", "ECDSA"], ["RSA", "RSA-PSS"]]) {
    const args = ["-cipher", `ECDHE-${kind}-AES128-GCM-SHA256`];
    assertEquals(await opensslSees(server, "TLSv1.2", args), type);
  }
});

Deno.test("a virtual host may have certificates of both kinds", openssl, async () => {
  await using server = await serve({ sni: { localhost: [EC, serverCert("rsa_2048")] } });
  const rsa = ["-sigalgs", "rsa_pss_rsae_sha256"];
  assertEquals(await opensslSees(server, "TLSv1.3", rsa), "RSA-PSS");
  assertEquals(await opensslSees(server, "TLSv1.3", []), "ECDSA");
});

Deno.test("a client that knows no signature of ours gets handshake_failure", openssl, async () => {
  await using server = await serve(EC);
  const result = await opensslClient({
    port: server.port,
    version: "TLSv1.3",
    args: ["-sigalgs", "rsa_pss_rsae_sha256"],
  });
  assertMatch(result.stderr, /alert handshake failure/);
  await server.failed(1);
  assertEquals(server.errors[0].code, "ERR_TLS_PEER_INCOMPATIBLE");
});

Deno.test("a chain goes out with its intermediates, in its order", async () => {
  await using server = await serve(serverCert("via_intermediate"));
  await using conn = await connectTo(server);
  const { peerCertificates } = await conn.handshake();
  assertEquals(peerCertificates.length, 2);
  assertEquals(peerCertificates[0].toHex(), serverDer("via_intermediate"));
});

for (const name of ["ec_p256", "ec_p384", "ed25519", "rsa_2048"] as const) {
  for (const version of VERSIONS) {
    Deno.test(`a server speaks for itself with a key of kind ${name}, ${version}`, async () => {
      await using server = await serve(serverCert(name));
      await using conn = await connectTo(server, { version });
      assertEquals((await conn.handshake()).peerCertificates[0].toHex(), serverDer(name));
    });
  }
}

/** RFC 6960 §4.2.1: the least of all OCSP responses, tryLater. OpenSSL reads it, no more. */
const TRY_LATER = new Uint8Array([0x30, 0x03, 0x0a, 0x01, 0x03]);

for (const version of VERSIONS) {
  Deno.test(`an OCSP response goes to clients that ask for one, ${version}`, openssl, async () => {
    await using server = await serve({ ...EC, ocspResponse: TRY_LATER });
    const options = { port: server.port, version, stdin: "hello\n" };
    const asked = await opensslClient({ ...options, args: ["-status"] });
    assertMatch(asked.stdout, /OCSP Response Status: trylater \(0x3\)/);
    assertEquals(answered(asked.stdout).protocol, version);
    const silent = await opensslClient(options);
    assert(!silent.stdout.includes("OCSP"));
    await using other = await serve(EC);
    const none = await opensslClient({ ...options, port: other.port, args: ["-status"] });
    assertMatch(none.stdout, /OCSP response: no response sent/);
  });
}
