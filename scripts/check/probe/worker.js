// deno-lint-ignore-file no-console
/** The probe in workerd, run by `workerd test`. */
import { probe } from "./probe.js";
import { instantiate } from "./reprise.js";
import wasmModule from "./reprise.wasm";

export default {
  test() {
    console.log(probe(instantiate, wasmModule));
  },
};
