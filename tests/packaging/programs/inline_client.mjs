/** One file, with the engine in it: the first engine that is named is used. */
import "@reprise/tls/inline";
import "./client.mjs";
