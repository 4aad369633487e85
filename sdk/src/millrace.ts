/** An open engine as an application holds it. */
import type {
  CheckReport,
  DataLossReport,
  EngineClient,
  MemberStatus,
  StorageReport,
} from "@millrace/engine";
import { type AwsClientConfig, type AwsOptions, clientConfig } from "./aws/client-config.ts";
import { keepClient } from "./client-of.ts";
import {
  type EngineEventKind,
  type EngineEventOf,
  EngineEvents,
  type ListenOptions,
} from "./events.ts";
import { Faults } from "./faults.ts";
import { Groups } from "./groups/groups.ts";
import { Jobs } from "./jobs/jobs.ts";
import { Keys } from "./keys.ts";
import type { Pipeline } from "./pipelines/pipeline.ts";
import { Pipelines } from "./pipelines/pipelines.ts";
import { Streams } from "./streams.ts";
import { EngineTime } from "./time.ts";
import { Trail } from "./trail.ts";

/** A scrub reads the whole store, which may hold gigabytes: an hour, in ms. */
const CHECK_MS_MAX = 3_600_000;

/** An open engine. Close it, or leave it to the page's end: what is acknowledged is stored either way. */
export class Millrace implements AsyncDisposable {
  readonly #client: EngineClient;
  readonly #events: EngineEvents;
  /** The engine's streams. */
  readonly streams: Streams;
  /** The consumer groups of all streams. */
  readonly groups: Groups;
  /** Work on streams that goes on in workers of its own. */
  readonly jobs: Jobs;
  /** Pipelines whose stages are jobs. */
  readonly pipelines: Pipelines;
  /** Keys that streams can be encrypted under. */
  readonly keys: Keys;
  /** Faults that are injected on purpose. */
  readonly faults: Faults;
  /** The engine's time. */
  readonly time: EngineTime;
  /** The record of all calls. */
  readonly trail: Trail;

  /** Made by `open`. `inTurn`: see `RecordBatcher`. */
  constructor(client: EngineClient, inTurn: boolean) {
    this.#client = client;
    this.#events = new EngineEvents(client);
    this.streams = new Streams(client, inTurn);
    this.groups = new Groups(client);
    this.jobs = new Jobs(client, this.#events, inTurn);
    this.pipelines = new Pipelines(client);
    this.keys = new Keys(client);
    this.faults = new Faults(client);
    this.time = new EngineTime(client);
    this.trail = new Trail(client);
    keepClient(this, client);
    // What this task has put is packed, though not sent: the page's end must not come in between.
    client.onLeave(() => this.streams.flush());
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

  /**
   * A pipeline of that name: stages from stream to stream, which are written down anew each time and go on from
   * their checkpoints. They run in this thread; {@link pipelines} has them run as jobs. @throws InvalidArgumentError.
   */
  async pipeline(name: string): Promise<Pipeline> {
    return new (await import("./pipelines/pipeline.ts")).Pipeline(this.#client, name);
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
   * Calls back with every event of one kind from now on: "data-loss", "records-dropped", "storage-full",
   * "job-changed" or "leader-changed". Returns how to end that; the signal ends it, too.
   *
   * @throws InvalidArgumentError.
   */
  on<Kind extends EngineEventKind>(
    kind: Kind,
    listener: (event: EngineEventOf<Kind>) => void,
    options?: ListenOptions,
  ): () => void {
    return this.#events.on(kind, listener, options);
  }

  /** What part this tab plays among those that share the engine. */
  async member(): Promise<MemberStatus> {
    return await this.#client.call("memberStatus", {});
  }

  /** Reads everything in the store and verifies it; changes nothing. */
  async check(): Promise<CheckReport> {
    return await this.#client.call("check", {}, CHECK_MS_MAX);
  }

  /**
   * The log as one file, as it is when the stream is first read from: for {@link importLog}, or to be
   * kept. The engine goes on meanwhile. Streams that are encrypted stay so, and their keys stay behind.
   *
   * The stream fails with NotSupportedError for an engine in memory, and with ResourceNotFoundError when
   * another tab took the engine over meanwhile, or a minute passed between two reads.
   */
  export(): ReadableStream<Uint8Array> {
    let pieces: AsyncGenerator<Uint8Array> | undefined;
    let cancelled = false;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          pieces ??= (await import("./archive.ts")).exportPieces(this.#client);
          // Nobody would close what is opened from now on.
          if (cancelled) return;
          const { done, value } = await pieces.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => {
          cancelled = true;
          await pieces?.return(undefined);
        },
      },
      { highWaterMark: 0 },
    );
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
    await this.jobs.release();
    this.streams.flush();
    await this.#client.close();
  }

  /** Closes it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
