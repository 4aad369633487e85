/** An open engine as an application holds it. */
import type { DataLossReport, EngineClient, StorageReport } from "@millrace/engine";
import { Streams } from "./streams.ts";

/** An open engine. Close it, or leave it to the page's end: what is acknowledged is stored either way. */
export class Millrace implements AsyncDisposable {
  readonly #client: EngineClient;
  /** The engine's streams. */
  readonly streams: Streams;

  /** Made by `open`. `inTurn`: see `RecordBatcher`. */
  constructor(client: EngineClient, inTurn: boolean) {
    this.#client = client;
    this.streams = new Streams(client, inTurn);
  }

  /** The name it was opened under. */
  get name(): string {
    return this.#client.name;
  }

  /** Whether it was closed, or its worker died: every call then fails. */
  get closed(): boolean {
    return this.#client.closed;
  }

  /** Where the engine's bytes are. */
  async storage(): Promise<StorageReport> {
    return await this.#client.call("storageReport", {});
  }

  /** Damage that was found in the store since the engine was opened; empty when all is well. */
  async dataLoss(): Promise<DataLossReport[]> {
    return await this.#client.call("dataLoss", {});
  }

  /**
   * Asks the browser never to evict this origin's storage; it may ask the user. False where the browser
   * declines or there is none.
   */
  async requestPersistence(): Promise<boolean> {
    const manager: StorageManager | undefined = globalThis.navigator?.storage;
    if (typeof manager?.persist !== "function") return false;
    return await manager.persist();
  }

  /** Lets puts under way settle, closes the engine and ends its worker. Safe to call twice. */
  async close(): Promise<void> {
    this.streams.flush();
    await this.#client.close();
  }

  /** Closes it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
