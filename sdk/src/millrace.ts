/** An open engine as an application holds it. */
import type { DataLossReport, EngineClient, StorageReport } from "@millrace/engine";
import { type AwsClientConfig, type AwsOptions, clientConfig } from "./aws/client-config.ts";
import { keepClient } from "./client-of.ts";
import { Faults } from "./faults.ts";
import { Streams } from "./streams.ts";
import { EngineTime } from "./time.ts";
import { Trail } from "./trail.ts";

/** An open engine. Close it, or leave it to the page's end: what is acknowledged is stored either way. */
export class Millrace implements AsyncDisposable {
  readonly #client: EngineClient;
  /** The engine's streams. */
  readonly streams: Streams;
  /** Faults that are injected on purpose. */
  readonly faults: Faults;
  /** The engine's time. */
  readonly time: EngineTime;
  /** The record of all calls. */
  readonly trail: Trail;

  /** Made by `open`. `inTurn`: see `RecordBatcher`. */
  constructor(client: EngineClient, inTurn: boolean) {
    this.#client = client;
    this.streams = new Streams(client, inTurn);
    this.faults = new Faults(client);
    this.time = new EngineTime(client);
    this.trail = new Trail(client);
    keepClient(this, client);
  }

  /** The name it was opened under. */
  get name(): string {
    return this.#client.name;
  }

  /** Whether it was closed, or its worker died: every call then fails. */
  get closed(): boolean {
    return this.#client.closed;
  }

  /**
   * The configuration by which an AWS client talks to this engine, in the same thread and without a
   * network: `new KinesisClient(millrace.aws())`.
   */
  aws(options?: AwsOptions): AwsClientConfig {
    return clientConfig(this.#client, () => import("./aws/request-handler.ts"), options);
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
