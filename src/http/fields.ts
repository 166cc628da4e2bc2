/**
 * Fields of a message: names and values (RFC 9110 §5), and how they are written in a line
 * (RFC 9112 §5).
 *
 * Rules: no whitespace before the colon, no folded lines, no control characters. It does not know
 * what a field means.
 *
 * @module
 */

import { malformed } from "./errors.ts";

/** A name and a value, each character one byte. */
export type Field = [name: string, value: string];

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Whether it is a token (RFC 9110 §5.6.2): a method, or a field's name. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Whether it can be a field's value, or a reason phrase. */
export function isFieldValue(text: string): boolean {
  return VALUE.test(text);
}

/** Takes a line apart; the value loses the whitespace around it. */
export function parseField(line: string): Field {
  if (line.startsWith(" ") || line.startsWith("\t")) {
    throw malformed("A field goes on in a second line (obs-fold)");
  }
  const colon = line.indexOf(":");
  if (colon < 0) throw malformed("A field has no colon");
  const name = line.slice(0, colon);
  if (!isToken(name)) throw malformed(`A field's name is no token: ${JSON.stringify(clip(name))}`);
  const value = trimSpace(line.slice(colon + 1));
  if (!isFieldValue(value)) throw malformed(`Field "${clip(name)}" has a control character`);
  return [name, value];
}

/** The elements of a list-based field, from all lines of this name; empty ones are left out. */
export function listOf(fields: readonly Field[], name: string): string[] {
  return valuesOf(fields, name)
    .flatMap((value) => value.split(","))
    .map(trimSpace)
    .filter((element) => element !== "");
}

/** The values of all lines of this name, in lower case. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter(([own]) => own.toLowerCase() === name).map(([, value]) =>
    value.toLowerCase()
  );
}

/** Without SP and HTAB at both ends: OWS, which is less than `trim()` takes. */
export function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text[start] === " " || text[start] === "\t")) start++;
  while (end > start && (text[end - 1] === " " || text[end - 1] === "\t")) end--;
  return text.slice(start, end);
}

/** For messages: what a server sent, not all of it. */
export function clip(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 64)}…`;
}
