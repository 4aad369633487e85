/** Engines over a virtual machine: real core, real log, stores that can be broken. */
import type { VirtualPlatform } from "../../src/platform/virtual-platform.ts";
import { createEngine } from "../../src/service/engine.ts";
import type {
  EngineOptions,
  EngineService,
  StartingPosition,
  StreamDescription,
} from "../../src/service/engine-service.ts";
import {
  buildBatch,
  type ReadRecord,
  readResult,
  readSlice,
  type TestRecord,
  type TestResultRow,
} from "./batches.ts";
import { coreModule } from "./cores.ts";

export { coreModule, newCore } from "./cores.ts";
export { numberOf, someRecords } from "./records.ts";

const never = new AbortController().signal;

/** Options of an engine of its own, with little memory. */
export const SMALL_ENGINE = {
  name: "test",
  storage: "indexeddb",
  quotas: "unlimited",
  memoryBudgetBytes: 16 * 1024 * 1024,
} as const;

/** One engine with the few calls that tests need; batch numbers count by themselves. */
export class TestEngine {
  readonly service: EngineService;
  readonly platform: VirtualPlatform;
  readonly producer: number;
  #batchNumber = 0;

  constructor(service: EngineService, platform: VirtualPlatform, producer: number) {
    this.service = service;
    this.platform = platform;
    this.producer = producer;
  }

  static async open(
    platform: VirtualPlatform,
    options: Partial<EngineOptions> = {},
  ): Promise<TestEngine> {
    const service = await createEngine(platform, await coreModule(), {
      name: "test",
      storage: "indexeddb",
      quotas: "unlimited",
      memoryBudgetBytes: 64 * 1024 * 1024,
      ...options,
    });
    const random = platform.random.fill(new Uint8Array(4));
    return new TestEngine(service, platform, new DataView(random.buffer).getUint32(0));
  }

  createStream(name = "clicks", shards = 1): Promise<StreamDescription> {
    return this.service.call("createStream", {
      name,
      shards,
      retentionHours: 24,
      recordKibMax: 1024,
    });
  }

  async put(stream: StreamDescription, records: readonly TestRecord[]): Promise<TestResultRow[]> {
    this.#batchNumber++;
    const batch = buildBatch({
      streamUid: stream.uid,
      batchNumber: this.#batchNumber,
      records,
      producer: this.producer,
    });
    return readResult(await this.service.put(batch));
  }

  /** Everything from a position to the end, in the order of shards. */
  async readAll(
    stream: StreamDescription,
    position: StartingPosition = { type: "TRIM_HORIZON" },
    bytesMax = 1_048_576,
  ): Promise<ReadRecord[]> {
    const resolved = await this.service.call("resolvePosition", { name: stream.name, position });
    const byShard = new Map<number, ReadRecord[]>(resolved.map((one) => [one.shardIndex, []]));
    let cursors = resolved.map(({ shardIndex, nextIndex }) => ({ shardIndex, nextIndex }));
    const ends = new Map(resolved.map((one) => [one.shardIndex, one.endIndex]));
    while (cursors.length > 0) {
      const slice = await this.service.read(
        { streamUid: stream.uid, cursors, recordsMax: 10_000, bytesMax, waitMs: 0 },
        never,
      );
      const parts = readSlice(slice);
      for (const part of parts) byShard.get(part.shardIndex)?.push(...part.records);
      cursors = parts
        .filter((part) => part.nextIndex < (ends.get(part.shardIndex) ?? 0))
        .map(({ shardIndex, nextIndex }) => ({ shardIndex, nextIndex }));
    }
    return [...byShard.values()].flat();
  }
}
