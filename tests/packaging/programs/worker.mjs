/** A Worker that is told a server by its request's body, and resumes there. */
import { connect } from "cloudflare:sockets";
import { startTls } from "@reprise/tls";
import { resume } from "./resume.mjs";

export default {
  async fetch(request) {
    const input = await request.json();
    const address = { hostname: "127.0.0.1", port: input.port };
    try {
      const visits = await resume((options) => startTls(connect(address), options), input);
      return Response.json({ visits });
    } catch (error) {
      return new Response(error.stack, { status: 500 });
    }
  },
};
