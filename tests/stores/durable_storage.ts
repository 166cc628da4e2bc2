/**
 * A Durable Object in memory, with a storage that keeps the rules of the real one: keys in their
 * order, ranges, copies, 128 keys at most in a deletion, 128 KiB at most in a value.
 *
 * @module
 */

import {
  type DurableNamespace,
  type DurableStorage,
  SessionStoreObject,
} from "../../src/stores/durable_object.ts";

/** What is used of a list. */
interface ListOptions {
  reverse?: boolean;
  limit?: number;
  start?: string;
  end?: string;
}

/** An object, and what it keeps. */
export class ObjectInMemory {
  readonly entries = new Map<string, unknown>();
  /** How many entries each list read. */
  readonly lists: number[] = [];
  alarm: number | undefined;
  readonly object: SessionStoreObject;

  constructor() {
    this.object = new SessionStoreObject({ storage: this.#storage() });
  }

  #storage(): DurableStorage {
    const { entries, lists } = this;
    return {
      list: <T>({ reverse = false, limit = Infinity, start = "", end }: ListOptions = {}) => {
        const keys = [...entries.keys()].sort()
          .filter((key) => key >= start && (end === undefined || key < end));
        if (reverse) keys.reverse();
        const found = keys.slice(0, limit);
        lists.push(found.length);
        const copies = found.map((key) => [key, structuredClone(entries.get(key))] as const);
        return Promise.resolve(new Map(copies) as Map<string, T>);
      },
      put: (key, value) => {
        const bytes = (value as { value?: Uint8Array }).value?.length ?? 0;
        if (bytes > 128 * 1024) return Promise.reject(new RangeError("A value is too large"));
        entries.set(key, structuredClone(value));
        return Promise.resolve();
      },
      delete: (keys) => {
        if (keys.length > 128) return Promise.reject(new RangeError("More than 128 keys"));
        for (const key of keys) entries.delete(key);
        return Promise.resolve();
      },
      deleteAll: () => Promise.resolve(entries.clear()),
      setAlarm: (time) => {
        // As the runtime converts it; what is no time is an error.
        if (!Number.isFinite(time)) return Promise.reject(new TypeError("An alarm needs a time"));
        this.alarm = time;
        return Promise.resolve();
      },
    };
  }

  /** Sends a request, as `"POST /?expires=1"`; the status of the answer. */
  async ask(request: string, body?: BodyInit): Promise<number> {
    const [method, path] = request.split(" ");
    const answer = await this.object.fetch(new Request(`https://x${path}`, { method, body }));
    await answer.body?.cancel();
    return answer.status;
  }
}

/** A namespace whose every name is one object. */
export function namespaceOf(one: ObjectInMemory): DurableNamespace<string> {
  return {
    idFromName: (name) => name,
    get: () => ({ fetch: (url, init) => one.object.fetch(new Request(url, init)) }),
  };
}
