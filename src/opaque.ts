/**
 * Objects whose contents are private, such as a session or a ring of keys.
 *
 * Rules:
 * - They are not copied by mistake. Everything that they hold is in private fields, which a
 *   structured clone leaves out: the copy would be `{}`, and the loss would show only when the
 *   session or the key is wanted. So `structuredClone()`, `postMessage()`, IndexedDB, Deno KV and
 *   `v8.serialize()` throw a `DataCloneError`.
 * - In JSON, in text and in a console they are their name: enough for a log, and nothing of their
 *   secrets. What was written so is a string, which is refused wherever the object is wanted.
 * - Each copy of the package that a program has loaded has classes of its own. An object of another
 *   copy is refused with the reason.
 *
 * How a clone is made to fail: an instance is a `WeakSet`, whose internal slot no runtime can clone
 * (HTML, StructuredSerializeInternal), but for its methods: those are cut off of the prototype. The
 * set stays empty.
 *
 * @module
 */

import { badOption, type Naming, typeOf } from "./option_errors.ts";

/** The same symbol in every copy of the package; on a prototype, the name of its class. */
const KIND = Symbol.for("@reprise/tls: kind of object");

/** A `WeakSet`, of which nobody is to know: what a structured clone refuses. */
export const Uncloneable: { new (): object } = WeakSet as unknown as { new (): object };

/** The base of classes whose objects are not copied by mistake. */
export abstract class Opaque extends Uncloneable {
  static {
    Object.setPrototypeOf(this.prototype, Object.prototype);
  }

  /** Names the object without its contents. */
  override toString(): string {
    return `[object ${kindOf(this)}]`;
  }

  /** As {@linkcode Opaque.toString}: what is in the object does not go into JSON. */
  toJSON(): string {
    return this.toString();
  }
}

for (const method of [Symbol.for("Deno.customInspect"), Symbol.for("nodejs.util.inspect.custom")]) {
  Object.defineProperty(Opaque.prototype, method, {
    value(this: Opaque) {
      return this.toString();
    },
  });
}

/** A class whose constructor may be private. */
type Class<T> = { prototype: T };

/** Names a class to every copy of the package; a bundler may change the name that it has itself. */
export function nameKind(of: Class<Opaque>, name: string): void {
  Object.defineProperty(of.prototype, KIND, { value: name });
}

/** What a value is, in whatever copy of the package it was made. */
function kindOf(value: unknown): string | undefined {
  try {
    return (value as { [KIND]?: string } | null | undefined)?.[KIND];
  } catch {
    return undefined; // a Proxy that throws
  }
}

/** Whether the constructor made it: a Proxy of an object, or an imitation, has no slot. */
function hasSlot(value: object): boolean {
  try {
    WeakSet.prototype.has.call(value as WeakSet<object>, value);
    return true;
  } catch {
    return false;
  }
}

/** Throws a `TypeError` unless the value was made by this copy's class; `or` says what else it may be. */
export function checkInstance<T extends Opaque>(
  name: string,
  value: unknown,
  of: Class<T>,
  naming: Naming = "Option",
  or = "",
): asserts value is T {
  const kind = kindOf(of.prototype)!;
  const expected = kind.endsWith("s") ? kind : `a ${kind}`;
  if (isOf(value, of)) {
    if (hasSlot(value)) return;
    throw new TypeError(
      `${naming} "${name}" must be ${expected} itself, got a Proxy or an imitation of one`,
    );
  }
  // Releases before this one gave no kind.
  if ((kindOf(value) ?? typeOf(value)) !== kind) {
    badOption(name, expected + or, value, naming);
  }
  throw new TypeError(
    `${naming} "${name}" must be ${expected} of this copy of the package, got ${expected} of ` +
      "another copy: the program has loaded @reprise/tls twice, in two versions or by two paths. " +
      "Install one version, and import it by one name everywhere",
  );
}

function isOf<T extends Opaque>(value: unknown, of: Class<T>): value is T {
  try {
    return Object.prototype.isPrototypeOf.call(of.prototype, value as object);
  } catch {
    return false; // a Proxy that throws
  }
}
