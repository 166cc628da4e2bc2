/**
 * The example with what a test does to it: `?down`, `?put=MS` and `?take=MS` to its store, `?noWait`
 * to its `waitUntil`. They hold until the next request.
 *
 * @module
 */

import { counts } from "./counted.js";
import worker, { SessionStoreObject } from "./worker.js";

export { SessionStoreObject };

const whenLoaded = { ...counts };

/** The parameters of the request that is served, or was the last. */
let mode = new URLSearchParams();
let sessions;

function around(namespace) {
  return {
    idFromName: (name) => namespace.idFromName(name),
    get: (id) => ({
      async fetch(url, init) {
        if (mode.has("down")) throw new Error("The store is down");
        const wait = mode.get(init.method === "POST" ? "put" : "take");
        if (wait !== null) await new Promise((resolve) => setTimeout(resolve, Number(wait)));
        return await namespace.get(id).fetch(url, init);
      },
    }),
  };
}

export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/counts") return Response.json({ whenLoaded, now: counts });
    if (pathname === "/ring") {
      const id = env.SESSIONS.idFromName("ring/ticket keys");
      return env.SESSIONS.get(id).fetch("https://session-store/ring");
    }
    mode = searchParams;
    sessions ??= around(env.SESSIONS);
    const given = mode.has("noWait")
      ? { waitUntil: (promise) => void promise.catch(() => {}) }
      : ctx;
    return await worker.fetch(request, { ...env, SESSIONS: sessions }, given);
  },
};
