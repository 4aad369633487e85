/**
 * The page around a client: at its end unacknowledged batches are handed over and the worker ended, also
 * when the page is only put aside, for it would keep the writer's lock; when it comes back all goes on.
 */
import type { Clock, Locks, Random } from "../platform/platform.ts";
import type { Client, ClientLife } from "./client.ts";
import {
  type BrokerPort,
  COPY_BYTES_MAX,
  copyPrefix,
  giveToBroker,
  type LeftBatch,
  type LeftCopy,
  leaveCopy,
} from "./hand-off.ts";

/** What a page's life is made of. */
export interface PageLifeParts {
  readonly engineName: string;
  /** Where pagehide, pageshow and storage events come in: the window. */
  readonly events: Pick<EventTarget, "addEventListener">;
  /** localStorage; undefined where the page may not use it. */
  readonly storage: Storage | undefined;
  /** The browser's own when absent. */
  readonly locks?: Locks;
  readonly clock: Clock;
  readonly random: Random;
  /** Connects to the port broker; undefined where there is none. */
  connectBroker(): BrokerPort | undefined;
}

/** See above. */
export class PageLife implements ClientLife {
  readonly #parts: PageLifeParts;
  readonly #ended = new AbortController();
  #broker: BrokerPort | undefined;
  /** This page's own copies of what is not acknowledged. */
  #copies: LeftCopy[] = [];
  /** Taking what others left, one run after the other. */
  #taking: Promise<void> = Promise.resolve();

  constructor(parts: PageLifeParts) {
    this.#parts = parts;
    this.#broker = parts.connectBroker();
  }

  begin(client: Client): void {
    const { events, engineName } = this.#parts;
    const { signal } = this.#ended;
    events.addEventListener("pagehide", () => client.leave(), { signal });
    events.addEventListener(
      "pageshow",
      (event) => {
        if (!("persisted" in event && event.persisted)) return;
        // The broker may be another one by now.
        this.#broker = this.#parts.connectBroker();
        client.comeBack();
      },
      { signal },
    );
    events.addEventListener(
      "storage",
      (event) => {
        const { key, newValue } = event as StorageEvent;
        if (newValue !== null && key?.startsWith(copyPrefix(engineName)) === true)
          this.#takeCopies(client);
      },
      { signal },
    );
  }

  /** What this page left itself it has just sent: another leader must not take it for news later. */
  up(client: Client): void {
    this.#removeOwnCopies();
    this.#takeCopies(client);
  }

  #takeCopies(client: Client): void {
    const { storage, engineName } = this.#parts;
    const prefix = copyPrefix(engineName);
    if (storage === undefined || !Object.keys(storage).some((key) => key.startsWith(prefix)))
      return;
    const put: Client["putLeft"] = (...batch) => client.putLeft(...batch);
    // What cannot be taken now stays where it is, for the next page or the next time.
    this.#taking = this.#taking
      .then(async () => {
        const { takeLeftBehind } = await import("./left-behind.ts");
        await takeLeftBehind({ ...this.#parts, storage, put });
      })
      .catch(() => undefined);
  }

  handOver(batches: readonly LeftBatch[], all: boolean): void {
    const { engineName, storage } = this.#parts;
    if (storage !== undefined) this.#leaveCopy(storage, batches, all);
    if (this.#broker !== undefined) giveToBroker(this.#broker, engineName, batches);
  }

  /** What it left when it was put aside before is in the new copy, or settled by now. */
  #leaveCopy(storage: Storage, batches: readonly LeftBatch[], all: boolean): void {
    const { engineName, clock, random } = this.#parts;
    if (all) this.#removeOwnCopies();
    const used = this.#copies.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const left = COPY_BYTES_MAX - used;
    const copy = leaveCopy(storage, engineName, batches, clock.nowMs(), random, left);
    if (copy !== undefined) this.#copies.push(copy);
  }

  #removeOwnCopies(): void {
    try {
      for (const { key } of this.#copies.splice(0)) this.#parts.storage?.removeItem(key);
    } catch {
      // Not allowed any more: whoever can read it will take it.
    }
  }

  end(): void {
    this.#ended.abort();
    this.#broker?.close();
  }
}
