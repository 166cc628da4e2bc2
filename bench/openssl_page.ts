/**
 * The page that `openssl s_server -www` serves: what the server itself says of its connections.
 *
 * Rule: it is the proof of a benchmark, so a line that is missing is an error.
 *
 * @module
 */

import type { Opened } from "./clients.ts";

/** What the page says, the connection that fetched it included. */
export interface OpensslPage {
  cipherSuite: string;
  /** Connections that began a handshake, and those that completed it. */
  accepts: number;
  finished: number;
  /** Handshakes that resumed a session. */
  hits: number;
}

const GET = new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n");

/** Fetches the page, and closes the connection. */
export async function opensslPage(opened: Opened): Promise<OpensslPage> {
  const decoder = new TextDecoder();
  let page = "";
  await opened.write(GET);
  await opened.receive((bytes) => {
    page += decoder.decode(bytes, { stream: true });
    return page.includes("</pre>");
  });
  await opened.close();
  const find = (line: RegExp) => {
    const [, found] = page.match(line) ?? [];
    if (found === undefined) throw new Error(`No line like ${line} in: ${page.slice(0, 4000)}`);
    return found;
  };
  return {
    cipherSuite: find(/Cipher is (\S+)/),
    accepts: Number(find(/(\d+) server accepts \(SSL_accept/)),
    finished: Number(find(/(\d+) server accepts that finished/)),
    hits: Number(find(/(\d+) session cache hits/)),
  };
}
