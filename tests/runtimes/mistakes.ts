/**
 * Mistakes of a caller, made in whatever runtime this runs in: what becomes of each is told.
 *
 * Rules: as in `agent.ts`: nothing of one runtime, and nothing that Node 20 lacks. What a runtime
 * does not have is told as `"not there"`.
 *
 * @module
 */

import type * as Reprise from "../../mod.ts";

type Library = Pick<
  typeof Reprise,
  | "ClientContext"
  | "ServerContext"
  | "Session"
  | "SealingKeys"
  | "TicketKeys"
  | "inspectSession"
>;

/** What a mistake came to: what was thrown, or what came of it. */
async function outcome(action: () => unknown): Promise<string> {
  try {
    const result = await action();
    return result === NOT_THERE ? NOT_THERE : `${JSON.stringify(result)}`;
  } catch (error) {
    const { name, message } = error as Error;
    return `${name}: ${message}`;
  }
}

const NOT_THERE = "not there";

function detached(): Uint8Array {
  const bytes = new Uint8Array(64);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

function outOfBounds(): Uint8Array {
  const buffer = new ArrayBuffer(64, { maxByteLength: 64 });
  const bytes = new Uint8Array(buffer, 32, 32);
  buffer.resize(8);
  return bytes;
}

/** Puts it where a page keeps things. */
function keepInIndexedDb(value: unknown): Promise<unknown> | string {
  // deno-lint-ignore no-explicit-any -- not every runtime has it
  const { indexedDB } = globalThis as any;
  if (indexedDB === undefined) return NOT_THERE;
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("mistakes", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("sessions");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      try {
        const putting = opening.result.transaction("sessions", "readwrite")
          .objectStore("sessions").put(value, "key");
        putting.onsuccess = () => resolve("kept");
        putting.onerror = () => reject(putting.error);
      } catch (error) {
        reject(error);
      }
    };
  });
}

function post(value: unknown): unknown {
  if (typeof MessageChannel === "undefined") return NOT_THERE;
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(value);
  } finally {
    port1.close();
    port2.close();
  }
}

function polluted<T>(name: string, value: unknown, action: () => T): T {
  const root = Object.prototype as unknown as Record<string, unknown>;
  root[name] = value;
  try {
    return action();
  } finally {
    delete root[name];
  }
}

/** Makes them all; `certificate` is a server's, `session` the bytes of one. */
export async function makeMistakes(
  library: Library,
  { cert, key, session }: { cert: string; key: string; session: Uint8Array },
): Promise<Record<string, string>> {
  const { ClientContext, ServerContext, Session, SealingKeys, TicketKeys } = library;
  const objects = {
    Session: Session.fromBytes(session),
    ClientContext: new ClientContext(),
    ServerContext: new ServerContext({ cert, key }),
    SealingKeys: await SealingKeys.generate(),
    TicketKeys: await TicketKeys.generate(),
  };
  const told: Record<string, string> = {};
  for (const [name, object] of Object.entries(objects)) {
    told[`structuredClone(${name})`] = await outcome(() => structuredClone(object));
    told[`postMessage(${name})`] = await outcome(() => post({ object }));
    told[`indexedDB(${name})`] = await outcome(() => keepInIndexedDb(object));
    told[`JSON(${name})`] = await outcome(() => object);
    told[`keys(${name})`] = await outcome(() => Object.keys(object));
  }
  told["detached"] = await outcome(() => Session.fromBytes(detached()));
  told["out of bounds"] = await outcome(() =>
    library.inspectSession(outOfBounds(), objects.SealingKeys)
  );
  told["Proxy"] = await outcome(() =>
    objects.Session.seal(new Proxy(objects.SealingKeys, {})).then(() => "sealed")
  );
  const inherited = (name: string, value: unknown) =>
    outcome(() => new ClientContext(Object.create({ [name]: value })).fingerprint);
  told["inherited pins"] = await inherited("pinnedKeys", ["no pin"]);
  told["inherited danger"] = await inherited("dangerDisableVerification", true);
  told["inherited misspelling"] = await inherited("pinnedKey", []);
  const danger = () => new ClientContext().fingerprint;
  told["polluted danger"] = String(
    danger() === polluted("dangerDisableVerification", true, danger),
  );
  told["alive"] = await outcome(() => Session.fromBytes(session).serverName);
  return told;
}
