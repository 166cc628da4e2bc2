/**
 * Code points, by their names in the RFCs and the IANA registries.
 *
 * @module
 */

/** RFC 8446 §5.1. */
export const ContentType = {
  change_cipher_spec: 20,
  alert: 21,
  handshake: 22,
  application_data: 23,
} as const;

/** RFC 8446 §4, RFC 5246 §7.4, RFC 5077 §3.3. */
export const HandshakeType = {
  hello_request: 0,
  client_hello: 1,
  server_hello: 2,
  new_session_ticket: 4,
  end_of_early_data: 5,
  encrypted_extensions: 8,
  certificate: 11,
  server_key_exchange: 12,
  certificate_request: 13,
  server_hello_done: 14,
  certificate_verify: 15,
  client_key_exchange: 16,
  finished: 20,
  certificate_status: 22,
  key_update: 24,
  message_hash: 254,
} as const;

/** RFC 8446 §4.2, RFC 7627 §5.1, RFC 5746 §3.2. */
export const ExtensionType = {
  server_name: 0,
  supported_groups: 10,
  ec_point_formats: 11,
  signature_algorithms: 13,
  application_layer_protocol_negotiation: 16,
  extended_master_secret: 23,
  session_ticket: 35,
  pre_shared_key: 41,
  early_data: 42,
  supported_versions: 43,
  cookie: 44,
  psk_key_exchange_modes: 45,
  key_share: 51,
  renegotiation_info: 65281,
} as const;

/** RFC 8446 §6, RFC 5246 §7.2, RFC 7301 §3.2. */
export const Alert = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  decryption_failed: 21,
  record_overflow: 22,
  decompression_failure: 30,
  handshake_failure: 40,
  no_certificate: 41,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  export_restriction: 60,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  no_renegotiation: 100,
  missing_extension: 109,
  unsupported_extension: 110,
  certificate_unobtainable: 111,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  bad_certificate_hash_value: 114,
  unknown_psk_identity: 115,
  certificate_required: 116,
  general_error: 117,
  no_application_protocol: 120,
} as const;

/** The name of an alert. */
export type AlertName = keyof typeof Alert;

/** RFC 8446 §6. */
export const AlertLevel = { warning: 1, fatal: 2 } as const;

/** The name of an alert, or its number where it has none. */
export function alertName(description: number): string {
  const named = Object.entries(Alert).find(([, code]) => code === description);
  return named?.[0] ?? `alert(${description})`;
}

/** The versions that the attacker speaks, as the library under test calls them. */
export type Version = "TLSv1.2" | "TLSv1.3";

/** Both of them. */
export const VERSIONS: readonly Version[] = ["TLSv1.2", "TLSv1.3"];

/** `ProtocolVersion` (RFC 8446 §4.1.2). */
export const ProtocolVersion: Record<Version, number> = { "TLSv1.2": 0x0303, "TLSv1.3": 0x0304 };

/** RFC 8446 §4.2.7. */
export const NamedGroup = { secp256r1: 0x0017, x25519: 0x001d } as const;

/** A group that the attacker has. */
export type GroupName = keyof typeof NamedGroup;

/** RFC 8446 §4.2.3. */
export const SignatureScheme = {
  rsa_pkcs1_sha256: 0x0401,
  ecdsa_secp256r1_sha256: 0x0403,
  ecdsa_secp384r1_sha384: 0x0503,
  rsa_pss_rsae_sha256: 0x0804,
  ed25519: 0x0807,
} as const;

/** The name of a signature scheme. */
export type SchemeName = keyof typeof SignatureScheme;
