/** For a page: nothing of a runtime's own; the engine comes along. */
import { startTls } from "@reprise/tls/inline";
import { resume } from "./resume.mjs";

globalThis.visit = (open, input) =>
  resume(async (options) => await startTls(await open(), options), input);
