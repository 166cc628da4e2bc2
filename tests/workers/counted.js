/**
 * Counts how often an engine is compiled or instantiated; to be imported before the Worker.
 *
 * @module
 */

/** How often, so far. */
export const counts = { compiled: 0, instantiated: 0 };

const { Instance } = WebAssembly;

WebAssembly.Instance = class extends Instance {
  constructor(...given) {
    super(...given);
    counts.instantiated++;
  }
};

for (const name of ["compile", "instantiate"]) {
  const original = WebAssembly[name];
  WebAssembly[name] = (...given) => {
    counts.compiled++;
    return original.apply(WebAssembly, given);
  };
}
