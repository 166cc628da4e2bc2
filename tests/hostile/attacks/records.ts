/**
 * Records: empty, padded, too large, broken, of wrong types and versions, cut in every way, and what
 * comes after close_notify (RFC 8446 §5, RFC 5246 §6.2).
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type Attack, onBoth } from "../attack.ts";
import {
  concat,
  ContentType,
  encodeRecord,
  MAX_PLAINTEXT,
  NO_PROTECTION,
  type Peer,
  type Protection13,
  u16,
  u8,
} from "../attacker/mod.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";
const badMac = { code: misbehaved, alert: "bad_record_mac" };
const overflow = { code: misbehaved, alert: "record_overflow" };

const TEN = new Uint8Array(10).fill(7);
const HEADER = 5;

/** The same thing, made so many times. */
function times(count: number, make: () => Uint8Array): Uint8Array[] {
  return Array.from({ length: count }, make);
}

/** A record whose bytes are changed behind its back. */
function changed(peer: Peer, change: (record: Uint8Array) => Uint8Array): Uint8Array {
  return change(peer.data(TEN));
}

/** A record with another length of its fragment, and the header to it. */
function cut(record: Uint8Array, length: number): Uint8Array {
  const fragment = new Uint8Array(length);
  fragment.set(record.subarray(HEADER, HEADER + length));
  return concat(record.subarray(0, 3), u16(length), fragment);
}

/** TLS 1.3: a record of inner bytes that the attacker chooses. */
function inner(peer: Peer, bytes: Uint8Array): Uint8Array {
  return encodeRecord((peer.sealing as Protection13).sealInner(bytes));
}

/** The attacks. */
export const RECORDS: Attack[] = [
  ...onBoth({
    name: "takes 32 empty records of data in a row, and goes on",
    run: (peer) => peer.send(...times(32, () => peer.data(new Uint8Array(0)))),
    outcome: "goes on",
  }),
  ...onBoth({
    name: "refuses a thousand empty records of data in a row",
    async run(peer) {
      await peer.sendAnyway(...times(1000, () => peer.data(new Uint8Array(0))));
    },
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "takes ten thousand empty records of data between others",
    async run(peer) {
      const turn = () => concat(peer.data(new Uint8Array(0)), peer.data(u8(7)));
      await peer.send(...times(10_000, turn));
      assertEquals(await peer.receiveData(10_000), new Uint8Array(10_000).fill(7));
    },
    outcome: "goes on",
  }),
  ...onBoth({
    name: "refuses a thousand records of nothing but padding",
    versions: ["TLSv1.3"],
    async run(peer) {
      await peer.sendAnyway(...times(1000, () => peer.data(new Uint8Array(0), { padding: 1000 })));
    },
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "takes data with as much padding as a record holds",
    versions: ["TLSv1.3"],
    async run(peer) {
      const padding = MAX_PLAINTEXT - TEN.length;
      await peer.send(...times(100, () => peer.data(TEN, { padding })));
      await peer.receiveData(1000);
    },
    outcome: "goes on",
  }),
  ...onBoth({
    name: "refuses a record of zeros, which has no type",
    versions: ["TLSv1.3"],
    run: (peer) => peer.send(inner(peer, new Uint8Array(100))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a record that is empty inside, without a type",
    versions: ["TLSv1.3"],
    run: (peer) => peer.send(inner(peer, new Uint8Array(0))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    // RFC 8446 §5.4 wants the first one refused; rustls counts them with other empty ones.
    name: "refuses a thousand empty records of handshake messages",
    async run(peer) {
      const empty = () => peer.record(ContentType.handshake, new Uint8Array(0));
      await peer.sendAnyway(...times(1000, empty));
    },
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses an empty alert",
    run: (peer) => peer.send(peer.record(ContentType.alert, new Uint8Array(0))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a protected record of no known type",
    run: (peer) => peer.send(peer.record(99, TEN)),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a record in the clear of no known type",
    run: (peer) => peer.send(encodeRecord({ type: 99, version: 0x0303, fragment: TEN })),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses data in the clear",
    run: (peer) => peer.send(encodeRecord(NO_PROTECTION.seal(ContentType.application_data, TEN))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a handshake message in the clear",
    run: (peer) => peer.send(encodeRecord(NO_PROTECTION.seal(ContentType.handshake, TEN))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses an alert in the clear: it could be anybody's",
    run: (peer) =>
      peer.send(encodeRecord(NO_PROTECTION.seal(ContentType.alert, concat(u8(2), u8(40))))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses close_notify in the clear: it could be anybody's",
    run: (peer) =>
      peer.send(encodeRecord(NO_PROTECTION.seal(ContentType.alert, concat(u8(1), u8(0))))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a record in the clear without content",
    run: (peer) =>
      peer.send(encodeRecord(NO_PROTECTION.seal(ContentType.application_data, new Uint8Array(0)))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a record of another protocol's version",
    run: (peer) => peer.send(peer.data(TEN, { version: 0x7f7f })),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a record whose tag is wrong in one bit",
    run: (peer) => peer.send(changed(peer, (record) => flip(record, record.length - 1))),
    outcome: badMac,
  }),
  ...onBoth({
    name: "refuses a record whose ciphertext is wrong in one bit",
    run: (peer) => peer.send(changed(peer, (record) => flip(record, record.length - 17))),
    outcome: badMac,
  }),
  ...onBoth({
    name: "refuses a record whose tag is cut by a byte",
    run: (peer) => peer.send(changed(peer, (record) => cut(record, record.length - HEADER - 1))),
    outcome: badMac,
  }),
  ...onBoth({
    name: "refuses a record that is shorter than a tag",
    run: (peer) => peer.send(changed(peer, (record) => cut(record, 15))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a record of one byte",
    run: (peer) => peer.send(changed(peer, (record) => cut(record, 1))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a record with a byte behind its tag",
    run: (peer) => peer.send(changed(peer, (record) => cut(record, record.length - HEADER + 1))),
    outcome: badMac,
  }),
  ...onBoth({
    name: "refuses a record that comes twice",
    async run(peer) {
      const record = peer.data(TEN);
      await peer.send(record);
      await peer.receiveData(TEN.length);
      await peer.send(record);
    },
    outcome: badMac,
  }),
  ...onBoth({
    name: "refuses records in another order",
    async run(peer) {
      const [first, second] = times(2, () => peer.data(TEN));
      await peer.send(second, first);
    },
    outcome: badMac,
  }),
  ...onBoth({
    name: "refuses a stream in which a record is missing",
    async run(peer) {
      peer.data(TEN);
      await peer.send(peer.data(TEN));
    },
    outcome: badMac,
  }),
  ...onBoth({
    name: "reads what came before a broken record",
    async run(peer) {
      await peer.send(peer.data(TEN), changed(peer, (record) => flip(record, record.length - 1)));
      await peer.receiveData(TEN.length);
    },
    outcome: badMac,
  }),
  ...onBoth({
    name: "refuses a record whose plaintext has a byte too many",
    run: (peer) =>
      peer.send(peer.record(ContentType.application_data, new Uint8Array(MAX_PLAINTEXT + 1))),
    outcome: overflow,
  }),
  ...onBoth({
    name: "refuses a record with a byte of padding too many",
    versions: ["TLSv1.3"],
    run: (peer) => peer.send(peer.data(TEN, { padding: MAX_PLAINTEXT - TEN.length + 1 })),
    outcome: overflow,
  }),
  ...onBoth({
    name: "refuses a header that announces 65,535 bytes before they come",
    run: (peer) => peer.send(concat(u8(23), u16(0x0303), u16(0xffff), TEN)),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "ignores data after close_notify",
    async run(peer) {
      await peer.send(peer.data(TEN), peer.alert("close_notify"));
      await peer.send(peer.data(new Uint8Array(100_000)));
      await peer.receiveData(TEN.length);
    },
    outcome: "ends",
  }),
  ...onBoth({
    name: "ignores garbage after close_notify",
    run: (peer) => peer.send(peer.alert("close_notify"), new Uint8Array(100_000).fill(0xff)),
    outcome: "ends",
  }),
  ...onBoth({
    name: "reads a stream in records of one byte",
    async run(peer) {
      await peer.send(...times(10_000, () => peer.data(u8(7))));
      assertEquals(await peer.receiveData(10_000), new Uint8Array(10_000).fill(7));
    },
    outcome: "goes on",
  }),
  ...onBoth({
    name: "shakes hands and reads byte by byte",
    peer: { chunk: 1 },
    run: (peer) => peer.echo(),
    outcome: "goes on",
  }),
  ...onBoth({
    name: "shakes hands in records of one byte",
    peer: { fragment: 1 },
    run: (peer) => peer.echo(),
    outcome: "goes on",
  }),
];

function flip(record: Uint8Array, at: number): Uint8Array {
  record[at] ^= 1;
  return record;
}
