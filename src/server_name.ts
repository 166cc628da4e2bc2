/**
 * The name a server is verified by.
 *
 * @module
 */

import { checkString } from "./options.ts";

/**
 * In the form that is verified and that sessions are bound to: lower case, ASCII (IDNA), without
 * the root's dot or an IPv6 address's brackets. Throws `TypeError` on what can be no host.
 */
export function canonicalServerName(option: string, name: unknown): string {
  checkString(option, name);
  let text = name.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  // deno-lint-ignore no-control-regex
  if (/[^\x00-\x7f]/.test(text)) {
    const url = URL.canParse(`https://${text}/`) ? new URL(`https://${text}/`) : undefined;
    text = url?.hostname ?? "";
  }
  text = text.toLowerCase();
  if (!/^[a-z0-9_.:-]{1,253}$/.test(text)) {
    throw new TypeError(`Option "${option}" is neither a DNS name nor an IP address: "${name}"`);
  }
  return text;
}
