/**
 * PEM that never changes, for golden values: the contents are DER of nothing, as a context does not
 * parse it before its first connection. `tests/testdata` is made anew from time to time.
 *
 * @module
 */

function block(label: string, text: string): string {
  return `-----BEGIN ${label}-----\n${btoa(text)}\n-----END ${label}-----\n`;
}

export const ROOT_A = block("CERTIFICATE", "root a");
export const ROOT_B = block("CERTIFICATE", "root b");
export const LEAF = block("CERTIFICATE", "leaf");
export const INTERMEDIATE = block("CERTIFICATE", "intermediate");
export const KEY_PKCS8 = block("PRIVATE KEY", "a key");
export const KEY_SEC1 = block("EC PRIVATE KEY", "the same key");
export const KEY_PKCS1 = block("RSA PRIVATE KEY", "an RSA key");
export const KEY_ENCRYPTED = block("ENCRYPTED PRIVATE KEY", "a key nobody can read");
export const CRL_A = block("X509 CRL", "list a");
export const CRL_B = block("X509 CRL", "list b");
export const PIN_A = `sha256/${btoa("a".repeat(32))}`;
export const PIN_B = `sha256/${btoa("b".repeat(32))}`;
