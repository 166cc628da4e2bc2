using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (services = [(name = "probe", worker = .worker)]);

const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "probe.js", esModule = embed "probe.js"),
    (name = "reprise.js", esModule = embed "reprise.js"),
    (name = "reprise.wasm", wasm = embed "reprise.wasm"),
  ],
  compatibilityDate = "2026-11-01",
);
