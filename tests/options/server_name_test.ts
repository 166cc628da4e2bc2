/**
 * Guards: the name of a server is a host name or an IP address, in one spelling, and nothing of what
 * was written is dropped or turned into something else on the way.
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  ClientContext,
  connectTls,
  memoryStore,
  SealingKeys,
  ServerContext,
  startTls,
  type StartTlsOptions,
} from "../../mod.ts";
import { punycode } from "../../src/punycode.ts";
import { canonicalServerName } from "../../src/server_name.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { CLIENT, open, pipe } from "./connections.ts";

const canonical = (name: string) => canonicalServerName("hostname", name);
const LABEL = "a".repeat(63);

/** By name, what it is spelled like everywhere. */
const NAMES: Record<string, string> = {
  "localhost": "localhost",
  "localhost.": "localhost",
  "EXAMPLE.Com": "example.com",
  "xn--bcher-kva.example": "xn--bcher-kva.example",
  "XN--BCHER-KVA.example": "xn--bcher-kva.example",
  "1e100.net": "1e100.net",
  "3com": "3com",
  "1.2.3.4.example": "1.2.3.4.example",
  "0x7f.example": "0x7f.example",
  "a--b.example": "a--b.example",
  "my_service": "my_service",
  "_sip._tcp.example": "_sip._tcp.example",
  [`${LABEL}.example`]: `${LABEL}.example`,
  [`${LABEL}.${LABEL}.${LABEL}.${"a".repeat(61)}`]: `${LABEL}.${LABEL}.${LABEL}.${"a".repeat(61)}`,
  "bücher.example": "xn--bcher-kva.example",
  "BÜCHER.example": "xn--bcher-kva.example",
  "bu\u0308cher.example": "xn--bcher-kva.example", // decomposed
  "bücher.EXAMPLE.": "xn--bcher-kva.example",
  "straße.example": "xn--strae-oqa.example",
  "日本語.example": "xn--wgv71a119e.example",
  "ΑΣ.example": "xn--mxa0b.example",
  "ας.example": "xn--mxa8a.example",
  "\u212bngstro\u0308m.example": "xn--ngstrm-hua5l.example", // the sign of the unit
  "😀.example": "xn--e28h.example",
  "مثال.example": "xn--mgbh0fb.example",
  "क्\u200dष.example": "xn--11b2ezcw70k.example", // a joiner that means something is encoded
  "127.0.0.1": "127.0.0.1",
  "0.0.0.0": "0.0.0.0",
  "255.255.255.255": "255.255.255.255",
  "::1": "::1",
  "[::1]": "::1",
  "::": "::",
  "2001:DB8:0:0:0:0:0:1": "2001:db8::1",
  "2001:0db8::0001": "2001:db8::1",
  "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
  "::ffff:1.2.3.4": "::ffff:102:304",
  "::FFFF:0102:0304": "::ffff:102:304",
  "64:ff9b::192.0.2.33": "64:ff9b::c000:221",
};

for (const [name, expected] of Object.entries(NAMES)) {
  Deno.test(`${JSON.stringify(name)} is ${expected}, and so is that`, () => {
    assertEquals(canonical(name), expected);
    assertEquals(canonical(expected), expected);
  });
}

/** What is no name of a server, by why. */
const REFUSED: Record<string, string[]> = {
  "a URL, or a part of one": [
    "https://a.example",
    "a.example/",
    "a.example/path",
    "a.example?query",
    "a.example#fragment",
    "a.example\\path",
    "user@a.example",
    "user:password@a.example",
    "a.example:443",
    "a.example:",
    "127.0.0.1:443",
    "[::1]:443",
    "evil.example/é.trusted.example",
    "evil.example?é.trusted.example",
    "evil.example#é.trusted.example",
    "evil.example\\é.trusted.example",
    "é@evil.example",
    "é:443",
    "é%2eexample",
  ],
  "characters that are in no name": [
    " a.example",
    "a.example ",
    "a b.example",
    "a\tb.example",
    "a\nb.example",
    "a\r\n.example",
    "a\0.example",
    "é\0.example",
    "é\t.example",
    "a%2eexample",
    "%61.example",
    "a*b.example",
    "*.example",
    "*",
    "a,b.example",
    "a;b.example",
    "a'b.example",
    'a"b.example',
    "a(b).example",
    "a|b.example",
    "a^b.example",
    "a`b.example",
    "a{b}.example",
    "a~b.example",
    "a!b.example",
    "a$b.example",
    "a&b.example",
    "a+b.example",
    "a=b.example",
    "<a>.example",
  ],
  "labels that are empty, too long, or begin or end in a hyphen": [
    ".",
    "..",
    "localhost..",
    ".localhost",
    "a..example",
    "é..example",
    "-a.example",
    "a-.example",
    "a.-example",
    "-",
    "é.-a.example",
    `${LABEL}a.example`,
    `${"é".repeat(60)}.example`,
    `${LABEL}.${LABEL}.${LABEL}.${"a".repeat(62)}`,
    "a.".repeat(1000),
    "é".repeat(100_000),
    "a".repeat(10_000_000),
  ],
  "other forms of IPv4 addresses": [
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0.0.0x1",
    "0177.0.0.1",
    "127.0.0.01",
    "127.0.0.1.",
    "1.2.3.4.",
    "1.2.3",
    "1.2.3.4.5",
    "256.0.0.1",
    "1.2.3.256",
    "a.1",
    "a.example.0x1f",
    "example.0x",
    "1",
    "１２７.０.０.１",
    "１２７。０。０。１",
    "é.1",
    "é.１",
    "①.②.③.④",
  ],
  "IPv6 addresses that are none, or have a zone": [
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
    "g::",
    "::1]",
    "[::1",
    "[[::1]]",
    "[]",
    "[a.example]",
    "[127.0.0.1]",
    "::1.",
    "::1.2.3",
    "::256.0.0.1",
    "::01.2.3.4",
    "1.2.3.4::",
    "fe80::1%eth0",
    "fe80::1%1",
    "fe80::1%25eth0",
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "::１",
    " ::1",
  ],
  "letters that a conversion drops, or turns into others": [
    "a．example", // fullwidth dot
    "a。example",
    "a｡example",
    "é。example",
    "trusted。evil.example",
    "a․example", // one dot leader
    "é․example",
    "é…example",
    "⒈example.com",
    "é.⒈example",
    "ｅvil.example", // fullwidth
    "ſ.example", // the long s
    "\u212aelvin.example", // the Kelvin sign, an ASCII letter in lower case
    "ﬁ.example", // a ligature
    "℀.example", // a/c
    "é℀.example",
    "²é.example",
    "\u200b.example", // without width
    "a\u200b.example",
    "é\u200b.example",
    "é\u200d.example",
    "a\u200c.example",
    "é\u2060.example",
    "é\ufeff.example",
    "\ufeffa.example",
    "a\u00ad.example", // a soft hyphen
    "é\u00ad.example",
    "é\ufe0f.example", // a variation selector
    "é\u202e.example", // writes from right to left
    "é\u0000.example",
    "\ud800.example",
    "é\udfff.example",
    "é\u{e0001}.example",
    "é\u3000.example",
    "é\u00a0.example",
    "\u0301a.example", // begins with an accent
    "é.xn--a.example", // no Punycode
    "é.xn--",
  ],
};

for (const [why, names] of Object.entries(REFUSED)) {
  Deno.test(`a server is not named by ${why}`, () => {
    for (const name of names) {
      const error = assertThrows(() => canonical(name), TypeError, '"hostname"', name.slice(0, 80));
      assertEquals(error.constructor, TypeError);
      assert(error.message.length < 300);
      // deno-lint-ignore no-control-regex
      assertMatch(error.message, /^[^\x00-\x1f]*$/, "a message is one line");
    }
  });
}

Deno.test("a bad name is refused wherever there is one", async () => {
  const context = new ClientContext({
    resumption: { store: memoryStore(), keys: await SealingKeys.generate() },
  });
  for (const name of Object.values(REFUSED).flat()) {
    const starting = (options: StartTlsOptions) => () => startTls(pipe().client, options);
    await assertRejects(starting({ hostname: name }), TypeError, '"hostname"');
    await assertRejects(
      starting({ hostname: "localhost", serverName: name }),
      TypeError,
      '"serverName"',
    );
    await assertRejects(() => connectTls({ hostname: name, port: 443 }), TypeError, '"hostname"');
    await assertRejects(() => context.forget({ hostname: name }), TypeError, '"hostname"');
  }
});

/** RFC 3492 §7.1, of which the codes are given in hexadecimal there. */
const SAMPLES: [text: string, encoded: string][] = [
  ["ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn"],
  ["他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"],
  ["Pročprostěnemluvíčesky", "Proprostnemluvesky-uyb24dma41a"],
  ["למההםפשוטלאמדבריםעברית", "4dbcagdahymbxekheh6e0a7fei0b"],
  ["PorquénopuedensimplementehablarenEspañol", "PorqunopuedensimplementehablarenEspaol-fmd56a"],
  ["3年B組金八先生", "3B-ww4c5e180e575a65lsy2b"],
  ["Hello-Another-Way-それぞれの場所", "Hello-Another-Way--fc4qua05auwb3674vfr0b"],
  ["MajiでKoiする5秒前", "MajiKoi5-783gue6qz075azm5e"],
  ["そのスピードで", "d9juau41awczczp"],
  ["-> $1.00 <-", "-> $1.00 <--"],
];

Deno.test("Punycode is that of RFC 3492", () => {
  for (const [text, encoded] of SAMPLES) assertEquals(punycode(text), encoded);
});

Deno.test("the name in other letters is asked for and verified in ASCII", async () => {
  const asked: (string | null)[] = [];
  const context = new ServerContext({
    ...serverCert("ec_p256"),
    sni(name) {
      asked.push(name);
      return null;
    },
  });
  await using both = await open({ hostname: "BÜCHER.example.", ...CLIENT }, { context });
  assertEquals(asked, ["xn--bcher-kva.example"]);
  assertEquals((await both.client.handshake()).serverName, "xn--bcher-kva.example");
  const strict = { hostname: "bücher.example", caCerts: [caCert("ec")] };
  await assertRejects(() => open(strict, { context }), Error, "bcher");
});

Deno.test("two spellings of an IPv6 address share their sessions", async () => {
  const context = new ClientContext({
    dangerDisableHostnameVerification: true,
    caCerts: [caCert("ec")],
    resumption: "memory",
  });
  const server = new ServerContext({
    ...serverCert("ec_p256"),
    resumption: {
      mode: "stateful",
      store: memoryStore(),
      keys: await SealingKeys.generate(),
    },
  });
  const reused: boolean[] = [];
  for (const hostname of ["2001:db8::1", "[2001:DB8:0:0::1]", "2001:db8::2"]) {
    await using both = await open({ hostname, port: 443, context }, { context: server });
    await both.client.getSession();
    reused.push(both.client.sessionReused);
    await context.settled();
  }
  assertEquals(reused, [false, true, false]);
});

/** Keys of `sni`, and the name by which a client gets them. */
const KEYS: [key: string, asked: string][] = [
  ["A.Example", "a.example"],
  ["a.example.", "a.example"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["XN--BCHER-KVA.example", "bücher.example"],
  ["*.Bücher.example", "a.xn--bcher-kva.example"],
  ["*.example", "a.example"],
];

for (const [key, asked] of KEYS) {
  Deno.test(`who asks for ${asked} gets what is under ${key}`, async () => {
    const context = new ServerContext({ sni: { [key]: serverCert("ec_p256") } });
    await using both = await open({ hostname: asked, ...CLIENT }, { context });
    assertEquals(both.client.sessionReused, false);
  });
}

Deno.test("keys of sni are names that a client can ask for, each once", () => {
  const EC = serverCert("ec_p256");
  const refused = [
    ...Object.values(REFUSED).flat().filter((name) => name !== "*.example"),
    ...["*.*.example", "a.*.example", "*a.example", "**.example", "*.", "*..example", "*.*", ""],
    ...["127.0.0.1", "::1", "[::1]", "*.127.0.0.1", "*.::1", "*.1"],
  ];
  for (const name of refused) {
    assertThrows(() => new ServerContext({ sni: { [name]: EC } }), TypeError, '"sni"', name);
  }
  for (
    const [one, two] of [["a.example", "A.example"], ["*.a", "*.a."], ["bücher", "xn--bcher-kva"]]
  ) {
    const error = assertThrows(
      () => new ServerContext({ sni: { [one]: EC, [two]: EC } }),
      TypeError,
      "two keys for one name",
    );
    assertStringIncludes(error.message, canonicalServerName("sni", one.replace("*.", "")));
  }
});
