/** Pages for tests: their events, their localStorage, and what they give to the port broker. */
import { InProcessLocks } from "../../src/platform/in-process-locks.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import type { KeptBatch } from "../../src/rpc/hand-off.ts";
import { PageLife } from "../../src/rpc/page-life.ts";
import { openRestarting, type Restarting, type ThreadPlan } from "./double.ts";

/** localStorage in memory: keys are own properties, as in browsers. */
export function memoryStorage(): Storage {
  const methods: Pick<Storage, "getItem" | "setItem" | "removeItem"> = {
    getItem(this: Storage, key: string) {
      return Object.hasOwn(this, key) ? String(this[key]) : null;
    },
    setItem(this: Storage, key: string, value: string) {
      this[key] = value;
    },
    removeItem(this: Storage, key: string) {
      delete this[key];
    },
  };
  return Object.create(methods);
}

/** A client in a page. */
export interface Page extends Restarting {
  readonly storage: Storage;
  /** What the broker was given to keep, message by message. */
  readonly kept: (readonly KeptBatch[])[];
  /** Lets the page be put aside, or end. */
  hide(): void;
  /** Lets it come back. */
  show(): void;
  /** Another page wrote into localStorage. */
  stored(key: string): void;
}

/** What pages of one origin share. */
export interface Origin {
  readonly storage: Storage;
  readonly locks: InProcessLocks;
}

/** An origin without anything. */
export function newOrigin(): Origin {
  return { storage: memoryStorage(), locks: new InProcessLocks() };
}

/** Opens a client in a page; see `openRestarting`. */
export async function openPage(
  plans: readonly ThreadPlan[],
  { storage, locks }: Origin = newOrigin(),
  limits = {},
): Promise<Page> {
  const events = new EventTarget();
  const kept: (readonly KeptBatch[])[] = [];
  const random = new SeededRandom(Object.keys(storage).length + 1);
  const opened = await openRestarting(plans, {
    limits,
    random,
    makeLife: (clock) =>
      new PageLife({
        ...{ engineName: "double", events, storage, locks, clock, random },
        connectBroker: () => ({
          postMessage: (message, transfer) => {
            kept.push(structuredClone(message, { transfer }).batches);
          },
          close: () => undefined,
        }),
      }),
  });
  return {
    ...opened,
    storage,
    kept,
    hide: () => events.dispatchEvent(new Event("pagehide")),
    show: () => events.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true })),
    stored: (key) =>
      events.dispatchEvent(Object.assign(new Event("storage"), { key, newValue: storage[key] })),
  };
}
