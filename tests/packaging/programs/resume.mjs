/** In any runtime: two connections, with nothing but bytes from the first one to the second. */

const GET = new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n");

/** `connect` opens a connection with the options it is given. */
export async function resume(connect, { port, caCerts }) {
  const visits = [];
  let session;
  for (let visit = 0; visit < 2; visit++) {
    const conn = await connect({ hostname: "localhost", port, caCerts, session });
    await conn.write(GET);
    const decoder = new TextDecoder();
    const into = new Uint8Array(65_536);
    let page = "";
    for (let n; (n = await conn.read(into)) !== null;) page += decoder.decode(into.subarray(0, n));
    session = (await conn.getSession())?.toBytes();
    await conn.close();
    visits.push({ reused: conn.sessionReused, miss: conn.sessionMiss, page });
  }
  return visits;
}
