/** What a bundler makes of a wasm file that it carries along. */
declare const bytes: Uint8Array<ArrayBuffer>;
export default bytes;
