/** The agent in workerd: `cloudflare:sockets`, sessions in a Durable Object; it serves WebSockets. */

// deno-lint-ignore-file no-import-prefix
// @ts-ignore: workerd has it
import { connect } from "cloudflare:sockets";
import * as library from "@reprise/tls";
import { fetchOver } from "@reprise/tls/http";
import {
  type DurableNamespace,
  durableObjectStore,
  SessionStoreObject,
} from "@reprise/tls/stores/durable_object";
import { webSocketStreams } from "@reprise/tls/web_socket";
import { type Agent, makeAgent, perform } from "../agent.ts";

export { SessionStoreObject };

interface Env {
  SESSIONS: DurableNamespace;
}

declare const WebSocketPair: new () => [WebSocket, WebSocket & { accept(): void }];

let agent: Agent | undefined;

function agentOf(env: Env): Agent {
  return agent ??= makeAgent({
    library,
    fetchOver,
    version: "workerd", // it does not tell which
    connect(options) {
      const { readable, writable } = connect({ hostname: "127.0.0.1", port: options.port });
      return library.startTls({ readable, writable }, options);
    },
    store: () => durableObjectStore(env.SESSIONS),
    listens: false,
  });
}

export default {
  async fetch(request: Request, env: Env, ctx: { waitUntil(promise: Promise<unknown>): void }) {
    const agent = agentOf(env);
    if (request.headers.get("upgrade") === "websocket") {
      const [client, server] = Object.values(new WebSocketPair()) as InstanceType<
        typeof WebSocketPair
      >;
      server.accept();
      ctx.waitUntil(agent.accept(webSocketStreams(server)));
      return new Response(null, { status: 101, webSocket: client } as ResponseInit);
    }
    const { operation, input } = await request.json();
    return Response.json(await perform(agent, operation, input));
  },
};
