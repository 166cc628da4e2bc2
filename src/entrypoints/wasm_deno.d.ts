/** The compiled wasm file. */
declare const module: WebAssembly.Module;
export default module;
