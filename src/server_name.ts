/**
 * The name of a server: what is connected to, asked for, verified, and what sessions are bound to.
 *
 * Rules:
 * - It is a DNS host name or an IP address, and nothing else: anything but that is a `TypeError`. No
 *   port, no user, no path, no percent-encoding, no zone of an IPv6 address.
 * - One server has one spelling: lower case ASCII, without the root's dot; IPv6 as RFC 5952 writes
 *   it, without brackets. An IPv4 address is four decimal numbers; the other forms that resolvers
 *   take (`127.1`, `0x7f.1`, `010.0.0.1`) are refused, and so is every name that ends in a number.
 * - Labels have 1 to 63 letters, digits, hyphens and underscores, and do not begin or end with a
 *   hyphen; a name has 253 characters at most (RFC 1123 §2.1). Underscores are in no host name of the
 *   internet, but in those of many private networks, and certificates are issued for them.
 * - A name in other letters becomes ASCII by IDNA. Two conversions have to agree, the runtime's (its
 *   URL parser, UTS 46) and one of our own that knows lower case, NFC and Punycode alone. So nothing
 *   is dropped or turned into something else on the way, such as characters without width, or those
 *   that become a dot, a digit or an ASCII letter.
 *
 * @module
 */

import { quoted } from "./option_errors.ts";
import { checkString } from "./options.ts";
import { punycode } from "./punycode.ts";

/** RFC 1035 §2.3.4, without the root's dot. */
const MAX_NAME = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
/** What URL parsers and resolvers take for a number, and the whole name for an IPv4 address. */
const NUMBER = /^(?:\d+|0x[0-9a-f]*)$/;

function refuse(option: string, name: string, why: string): never {
  throw new TypeError(
    `Option "${option}" is neither a DNS name nor an IP address: ${quoted(name)} ${why}`,
  );
}

/** An IPv6 address as RFC 5952 writes it; `undefined` if it is none. */
function canonicalIpv6(text: string): string | undefined {
  // With these characters alone the URL parser can take it for nothing but an address.
  if (!/^[0-9a-f:.]{2,45}$/i.test(text) || !URL.canParse(`https://[${text}]/`)) return undefined;
  return new URL(`https://[${text}]/`).hostname.slice(1, -1);
}

function isAscii(text: string): boolean {
  return !/[\u0080-\uffff]/.test(text);
}

/** A label that is not ASCII, by our own conversion: lower case and NFC, then Punycode. */
function asciiLabel(label: string): string {
  // Character by character: the lower case of a capital sigma depends on where it stands.
  const lower = Array.from(label, (character) => character.toLowerCase()).join("").normalize("NFC");
  return isAscii(lower) ? "" : `xn--${punycode(lower)}`;
}

/** A name with letters beyond ASCII; `undefined` if the two conversions do not agree. */
function idnaToAscii(name: string): string | undefined {
  if (!/^[a-z0-9_.\u0080-\uffff-]+$/i.test(name) || !URL.canParse(`https://${name}/`)) {
    return undefined;
  }
  const own = name.split(".").map((label) =>
    isAscii(label) ? label.toLowerCase() : asciiLabel(label)
  ).join(".");
  return new URL(`https://${name}/`).href === `https://${own}/` ? own : undefined;
}

/** The canonical form of a name that is checked; without the root's dot. */
function canonical(option: string, given: string): string {
  // Punycode makes no label shorter than its characters, of which each has two code units at most.
  if (given.length > 2 * (MAX_NAME + 1)) refuse(option, given, "is too long");
  if (given.includes(":") || given.startsWith("[")) {
    const inside = /^\[(.*)\]$/s.exec(given)?.[1] ?? given;
    if (inside.includes("%")) refuse(option, given, "has a zone, which no certificate can name");
    return canonicalIpv6(inside) ?? refuse(option, given, "is no IPv6 address, and has no port");
  }
  if (IPV4.test(given)) return given;
  const name = given.endsWith(".") ? given.slice(0, -1) : given;
  const ascii = isAscii(name) ? name.toLowerCase() : idnaToAscii(name);
  if (ascii === undefined) {
    refuse(option, given, "is not the same in ASCII by every way to convert it; give it in ASCII");
  }
  const labels = ascii.split(".");
  if (ascii.length > MAX_NAME) refuse(option, given, `is longer than ${MAX_NAME} characters`);
  if (!labels.every((label) => LABEL.test(label))) {
    refuse(option, given, "has a label that is empty, too long, or not of letters and digits");
  }
  if (NUMBER.test(labels.at(-1)!)) {
    refuse(option, given, "ends in a number, but is not four decimal numbers");
  }
  return ascii;
}

/**
 * The one spelling of a server's name, as the rules above say.
 *
 * @throws {TypeError} on what is no host name and no IP address; it names the option.
 */
export function canonicalServerName(option: string, name: unknown): string {
  checkString(option, name);
  return canonical(option, name);
}

/** Whether a canonical name is an IP address. */
export function isIpAddress(canonicalName: string): boolean {
  return canonicalName.includes(":") || IPV4.test(canonicalName);
}

/** What to connect to: the canonical name, with the root's dot for a resolver if it was there. */
export function addressOf(canonicalName: string, given: string): string {
  return given.endsWith(".") ? `${canonicalName}.` : canonicalName;
}

/**
 * A name that clients ask for (RFC 6066 §3), in its one spelling: a DNS name, which `*.` may stand
 * before for one label.
 */
export function canonicalSniName(option: string, name: string): string {
  const wildcard = name.startsWith("*.") ? "*." : "";
  const rest = canonical(option, name.slice(wildcard.length));
  if (isIpAddress(rest)) {
    throw new TypeError(`Option "${option}" has an IP address, which no client asks for: ${rest}`);
  }
  return wildcard + rest;
}

/** An address to listen on: as a server's name, but an IPv6 address may have a zone (RFC 4007). */
export function listenAddress(option: string, name: unknown): string {
  checkString(option, name);
  const [, address, zone] = /^\[?([0-9a-f:.]*:[0-9a-f:.]*)(%[\w.-]{1,64})\]?$/i.exec(name) ?? [];
  return zone === undefined ? canonical(option, name) : canonical(option, address) + zone;
}
