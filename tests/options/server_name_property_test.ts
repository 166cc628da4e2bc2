/**
 * Guards: whatever is taken for a server's name is one name, as the engine, a URL parser and Node
 * have it, and every other spelling of it is the same.
 */

import { assert, assertEquals } from "@std/assert";
import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";
import { domainToASCII, domainToUnicode } from "node:url";
import { ClientContext } from "../../mod.ts";
import { clientContextInternals } from "../../src/context.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { canonicalServerName } from "../../src/server_name.ts";
import { pseudoRandom } from "../engine/driver.ts";

const canonical = (name: string) => canonicalServerName("hostname", name);

/** A name of every sort, good or not, from a list of what attackers make names of. */
function anyName(random: () => number): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const parts = [
    ...["a", "b", "xn--", "0x", "1", "127", "-", "_", ".", ".", ".", "..", ":", "::", "[", "]"],
    ...["é", "ß", "İ", "K", "Σ", "ſ", "。", "．", "１", "\u200b", "\u00ad", "日", "😀", "\u0301"],
    ...["/", "@", "%", " ", "?", "#", "\\", "\0", "*", "\ud800", "example", "localhost", "fe80"],
  ];
  return Array.from({ length: 1 + Math.floor(random() * 6) }, () => pick(parts)).join("");
}

const RUNS = 20_000;

Deno.test("whatever is accepted is one name: in one spelling, taken by the engine, and in a URL the same", async () => {
  const random = pseudoRandom(7);
  const context = new ClientContext();
  const instance = currentEngine();
  const engine = await clientContextInternals.engine(context, instance);
  let accepted = 0;
  for (let run = 0; run < RUNS; run++) {
    const name = anyName(random);
    let result: string;
    try {
      result = canonical(name);
    } catch (error) {
      assertEquals((error as Error).constructor, TypeError, JSON.stringify(name));
      continue;
    }
    accepted++;
    const says = `${JSON.stringify(name)}: ${result}`;
    assertEquals(canonical(result), result, says);
    assertEquals(canonical(result.toUpperCase()), result, says);
    // The engine, which verifies by it, takes it for a name or an address as we do.
    instance.call(() => engine.check_session(result, new Uint8Array(0), 0));
    // A URL parser changes nothing of it, and finds nothing else in it.
    const bracketed = result.includes(":") ? `[${result}]` : result;
    // Underscores and A-labels aside, Node's own idea of an address is the same.
    assertEquals(isIP(result) !== 0, result.includes(":") || /^[\d.]+$/.test(result), says);
    if (!/(^|\.)xn--/.test(result)) {
      assertEquals(new URL(`https://${bracketed}/`).href, `https://${bracketed}/`, says);
    }
    // Nothing of the input is lost: written in Unicode again it is the input, but for its case.
    const plain = name.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
    if (!result.includes(":") && !/xn--/i.test(name)) {
      const lower = Array.from(plain, (letter) => letter.toLowerCase()).join("").normalize("NFC");
      assertEquals(domainToUnicode(result), lower, says);
    }
  }
  assert(accepted > RUNS / 50, `${accepted} of ${RUNS} were names`);
});

Deno.test("IDNA agrees with Node's wherever both take a name", () => {
  const random = pseudoRandom(8);
  let compared = 0;
  for (let run = 0; run < RUNS; run++) {
    const letters = Array.from(
      { length: 1 + Math.floor(random() * 8) },
      () =>
        String.fromCodePoint(Math.floor(random() < 0.5 ? 97 + random() * 26 : random() * 0x3000)),
    );
    const name = `${letters.join("")}.example`;
    let result: string;
    try {
      result = canonical(name);
    } catch {
      continue;
    }
    compared++;
    assertEquals(result, domainToASCII(name), JSON.stringify(name));
  }
  assert(compared > 1000, `${compared} were compared`);
});

Deno.test("every spelling of an IPv6 address is one server, and two addresses are two", () => {
  const random = pseudoRandom(9);
  for (let run = 0; run < 5_000; run++) {
    const groups = Array.from(
      { length: 8 },
      () => random() < 0.5 ? 0 : Math.floor(random() * 0x10000),
    );
    const full = groups.map((group) => group.toString(16).padStart(4, "0")).join(":");
    const short = groups.map((group) => group.toString(16)).join(":");
    const result = canonical(full);
    const spellings = [short, full.toUpperCase(), `[${short}]`, result];
    // A run of zeros, wherever it is, may be written as "::".
    for (let at = 0; at < 8; at++) {
      for (let end = at + 2; end <= 8 && groups.slice(at, end).every((each) => each === 0); end++) {
        const before = groups.slice(0, at).map((each) => each.toString(16)).join(":");
        const after = groups.slice(end).map((each) => each.toString(16)).join(":");
        spellings.push(`${before}::${after}`);
      }
    }
    const [high, low] = [groups[6], groups[7]];
    const quad = [high >> 8, high & 255, low >> 8, low & 255].join(".");
    spellings.push(`${groups.slice(0, 6).map((each) => each.toString(16)).join(":")}:${quad}`);
    for (const spelling of spellings) assertEquals(canonical(spelling), result, spelling);
    assert(isIPv6(result));
    const same = new BlockList();
    same.addAddress(full, "ipv6");
    assert(same.check(result, "ipv6"), `${result} is ${full}`);
    groups[7] ^= 1;
    const other = groups.map((each) => each.toString(16)).join(":");
    assert(canonical(other) !== result);
  }
});

Deno.test("an IPv4 address is what Node takes for one, and nothing else of numbers and dots", () => {
  const random = pseudoRandom(10);
  const parts = [
    "0",
    "1",
    "9",
    "00",
    "01",
    "10",
    "99",
    "127",
    "199",
    "249",
    "255",
    "256",
    "0x1",
    "",
  ];
  for (let run = 0; run < 20_000; run++) {
    const text = Array.from(
      { length: 1 + Math.floor(random() * 5) },
      () => parts[Math.floor(random() * parts.length)],
    ).join(".");
    let result: string | undefined;
    try {
      result = canonical(text);
    } catch {
      // below
    }
    assertEquals(result, isIPv4(text) ? text : undefined, JSON.stringify(text));
  }
});
