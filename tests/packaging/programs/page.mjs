/** For a page, which gives the engine. */
import { provideEngine, startTls } from "@reprise/tls";
import { resume } from "./resume.mjs";

globalThis.visit = (open, input, engine) => {
  if (engine !== undefined) provideEngine(engine);
  return resume(async (options) => await startTls(await open(), options), input);
};
