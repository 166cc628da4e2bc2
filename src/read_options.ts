/**
 * Reads an object of options: the one reader for all of them.
 *
 * Rules:
 * - Each option is read once, into a private object. What was checked is what is used, even where a
 *   getter answers differently the second time.
 * - Own properties, inherited ones and getters count alike: options may be an object made by
 *   `Object.create(defaults)`, or of a class.
 * - A name that is no option is a `TypeError` wherever it is visible: a misspelt option without
 *   effect is a hole. What is on a prototype, is not enumerable, and bears a name that every object
 *   has (`constructor`, `toString`) is none.
 * - Nothing that `Object.prototype` has counts, neither as an option nor as an unknown name. Nobody
 *   gave it as one: it is there for every object, if an attacker could put it there (prototype
 *   pollution).
 * - What weakens the protection, or gives secrets away, counts as an own property only. Inherited
 *   from another prototype it is a `TypeError`, unless it is `undefined` or `false`.
 * - What reads as another kind of object, such as an array, a `Map` or a `Promise`, is no options.
 *
 * What weakens: `dangerDisableVerification`, `dangerDisableHostnameVerification` and `keyLog`. Whom
 * to trust (`caCerts`, `defaultRoots`) and whom to refuse (`pinnedKeys`, `crls`, `verify`) are what
 * defaults are made for; they may be inherited.
 *
 * It does not know which options there are: each module of options lists its own.
 *
 * @module
 */

import { quoted, reading, typeOf } from "./option_errors.ts";

/** Where an option may stand: on the object or a prototype of it, or on the object alone. */
export type Placement = "anywhere" | "own";

/**
 * The options of an interface, all of them: `{ … } satisfies KnownOptions<Interface>` does not
 * compile where one is missing, or one is there that the interface does not have.
 */
export type KnownOptions<Options> = { readonly [Name in keyof Required<Options>]: Placement };

/** What was read: each known option, to be checked; `undefined` where it was not given. */
export type Read<Known> = { readonly [Name in keyof Known]: unknown };

/** Prototypes of an options object: more than any class has. A Proxy may have no end of them. */
const MAX_PROTOTYPES = 32;

/** As `Object.prototype.toString()` calls what options may be; the other one is a module's exports. */
const KINDS = ["[object Object]", "[object Module]"];

/** Names that every object has: on a prototype they are methods, and no options. */
const COMMON = [
  "constructor",
  "toString",
  "toLocaleString",
  "valueOf",
  "hasOwnProperty",
  "isPrototypeOf",
  "propertyIsEnumerable",
];

/** `Object.prototype`, of whatever realm. */
function isRoot(object: object): boolean {
  return object === Object.prototype ||
    Object.getPrototypeOf(object) === null && Object.hasOwn(object, "hasOwnProperty") &&
      Object.hasOwn(object, "isPrototypeOf");
}

/** An object of options with its prototypes, and `Object.prototype` apart, if it is among them. */
interface Layers {
  options: Readonly<Record<string, unknown>>;
  chain: readonly object[];
  root: object | null;
}

/** Whether it is of a kind that options may be. */
function isObject(options: unknown): options is Record<string, unknown> {
  return typeof options === "object" && options !== null && !Array.isArray(options) &&
    KINDS.includes(Object.prototype.toString.call(options));
}

function layersOf(options: unknown, what: string): Layers {
  if (!reading(what, () => isObject(options))) {
    throw new TypeError(`${what} must be an object, got ${typeOf(options)}`);
  }
  const chain = [options as Layers["options"]];
  let root: object | null = null;
  reading(what, () => {
    let next = Object.getPrototypeOf(chain[0]);
    for (; next !== null && chain.length <= MAX_PROTOTYPES; next = Object.getPrototypeOf(next)) {
      if (isRoot(next)) {
        root = next;
        return;
      }
      chain.push(next);
    }
  });
  if (chain.length > MAX_PROTOTYPES) {
    throw new TypeError(`${what} must have less than ${MAX_PROTOTYPES} prototypes`);
  }
  return { options: chain[0], chain, root };
}

/** The names in a layer that may mean something. */
function namesIn(layer: object, isPrototype: boolean): string[] {
  const names = Object.getOwnPropertyNames(layer);
  if (!isPrototype) return names;
  const { propertyIsEnumerable } = Object.prototype;
  return names.filter((name) => !COMMON.includes(name) || propertyIsEnumerable.call(layer, name));
}

/** Every name that is visible, each once. */
function visibleNames({ chain }: Layers, what: string): Set<string> {
  return new Set(chain.flatMap((layer, at) => reading(what, () => namesIn(layer, at > 0))));
}

function readOne(layers: Layers, name: string, placement: Placement, full: string): unknown {
  const { options, chain, root } = layers;
  const has = (layer: object) => reading(`Option "${full}"`, () => Object.hasOwn(layer, name));
  const depth = chain.findIndex(has);
  const value = reading(`Option "${full}"`, () => options[name]);
  // A Proxy may have an answer of its own to what its target does not have.
  const isOfRoot = depth < 0 && root !== null && Object.hasOwn(root, name) &&
    Object.is(value, reading(`Option "${full}"`, () => Reflect.get(root, name, options)));
  if (isOfRoot) return undefined;
  return depth === 0 ? value : inherited(value, placement, full);
}

/** An option that is not the object's own. */
function inherited(value: unknown, placement: Placement, full: string): unknown {
  if (placement === "anywhere") return value;
  if (value === undefined || value === false) return undefined;
  throw new TypeError(
    `Option "${full}" weakens the protection, so it must be a property of the options ` +
      "themselves, not one that they inherit",
  );
}

/**
 * Reads the known options of an object.
 *
 * @param what What messages call the object: `"ClientContext options"`, or `'"resumption"'`.
 * @param path What messages put before a name: `"resumption."` for the options within that one.
 * @returns A private object without a prototype.
 * @throws {TypeError} as the rules of this module say; it names the option.
 */
export function readOptions<Known extends Readonly<Record<string, Placement>>>(
  options: unknown,
  known: Known,
  what: string,
  path = "",
): Read<Known> {
  const subject = path === "" ? what : `Option ${what}`;
  const names = reading(subject, () => plainNames(options));
  if (names !== undefined) {
    return readPlain(options as Record<string, unknown>, names, known, what, path);
  }
  const layers = layersOf(options, subject);
  for (const name of visibleNames(layers, subject)) checkKnownName(name, known, what);
  const read = Object.create(null);
  for (const [name, placement] of Object.entries(known)) {
    read[name] = readOne(layers, name, placement, `${path}${name}`);
  }
  return read;
}

function checkKnownName(name: string, known: object, what: string): void {
  if (Object.hasOwn(known, name)) return;
  throw new TypeError(`Option ${quoted(name)} is unknown to ${what}`);
}

/** The names of an object of the most common kind, `{ … }`; `undefined`: it is of another one. */
function plainNames(options: unknown): string[] | undefined {
  if (typeof options !== "object" || options === null) return undefined;
  if (Object.getPrototypeOf(options) !== Object.prototype) return undefined;
  if (Object.prototype.toString.call(options) !== KINDS[0]) return undefined;
  return Object.getOwnPropertyNames(options);
}

const lists = new WeakMap<object, readonly string[]>();

/** The names of a list of options, which is made once. */
function namesOf(known: object): readonly string[] {
  let names = lists.get(known);
  if (names === undefined) lists.set(known, names = Object.keys(known));
  return names;
}

/** As for any other object, by the same rules, in a tenth of the time. */
function readPlain<Known extends Readonly<Record<string, Placement>>>(
  options: Readonly<Record<string, unknown>>,
  names: readonly string[],
  known: Known,
  what: string,
  path: string,
): Read<Known> {
  for (const name of names) checkKnownName(name, known, what);
  const read = Object.create(null);
  for (const name of namesOf(known)) {
    const value = reading(`Option "${path}${name}"`, () => options[name]);
    read[name] = undefined;
    if (value === undefined) continue;
    if (Object.hasOwn(options, name)) read[name] = value;
    // An answer of a Proxy's own; what `Object.prototype` has is nobody's option.
    else if (!Object.is(value, Reflect.get(Object.prototype, name, options))) {
      read[name] = inherited(value, known[name], `${path}${name}`);
    }
  }
  return read;
}

/**
 * Reads an option whose names are the caller's, such as server names, by the same rules.
 *
 * @param option The name of the option.
 * @returns Each name that is visible, with its value.
 */
export function readRecord(option: string, value: unknown): Map<string, unknown> {
  const subject = `Option "${option}"`;
  const layers = layersOf(value, subject);
  return new Map(
    Array.from(visibleNames(layers, subject), (name) => [
      name,
      readOne(layers, name, "anywhere", option),
    ]),
  );
}
