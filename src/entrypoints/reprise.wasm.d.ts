/** What Workers make of a wasm import. */
declare const module: WebAssembly.Module;
export default module;
