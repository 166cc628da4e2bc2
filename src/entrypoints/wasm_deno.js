// In a .js file, as TypeScript does not know source phase imports.
// @ts-self-types="./wasm_deno.d.ts"
import source module from "../../wasm/pkg/reprise.wasm";

export default module;
