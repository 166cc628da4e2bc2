/**
 * Key exchange over X25519 (RFC 7748) and P-256 (RFC 8446 §4.2.8.2).
 *
 * @module
 */

import { createECDH, createPublicKey, diffieHellman, generateKeyPairSync } from "node:crypto";
import type { GroupName } from "./codes.ts";

/** One end's part of a key exchange. */
export interface KeyShare {
  group: GroupName;
  /** What the peer gets to see. */
  publicKey: Uint8Array;
  /** The shared secret with the peer's part. */
  agree(peer: Uint8Array): Uint8Array;
}

function x25519(): KeyShare {
  const { publicKey, privateKey } = generateKeyPairSync("x25519");
  const { x } = publicKey.export({ format: "jwk" });
  return {
    group: "x25519",
    publicKey: Uint8Array.fromBase64(x!, { alphabet: "base64url" }),
    agree(peer) {
      const x = peer.toBase64({ alphabet: "base64url", omitPadding: true });
      const key = { kty: "OKP", crv: "X25519", x };
      return diffieHellman({ privateKey, publicKey: createPublicKey({ key, format: "jwk" }) });
    },
  };
}

function secp256r1(): KeyShare {
  const ecdh = createECDH("prime256v1");
  return {
    group: "secp256r1",
    publicKey: new Uint8Array(ecdh.generateKeys()),
    agree: (peer) => ecdh.computeSecret(peer),
  };
}

/** A fresh key pair. */
export function keyShare(group: GroupName): KeyShare {
  return group === "x25519" ? x25519() : secp256r1();
}
