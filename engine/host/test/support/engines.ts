/** Engines over a virtual machine: real core, real log, stores that can be broken. */
import { readFile } from "node:fs/promises";
import { Core } from "../../src/core/core.ts";
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

let compiled: Promise<WebAssembly.Module> | undefined;

export function coreModule(): Promise<WebAssembly.Module> {
  compiled ??= readFile(new URL("../../wasm/core.wasm", import.meta.url)).then((bytes) =>
    WebAssembly.compile(bytes),
  );
  return compiled;
}

export async function newCore(arenaBytesMax = 64 * 1024 * 1024): Promise<Core> {
  return await Core.instantiate(await coreModule(), {
    shardSlotsMax: 64,
    routesMax: 16,
    arenaBytesMax,
  });
}

const never = new AbortController().signal;

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

/** `count` records with distinct data, keys repeating. */
export function someRecords(count: number, dataBytes = 100, first = 0): TestRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const data = new Uint8Array(dataBytes);
    // Pseudo-random bytes, so that nothing that a store compresses looks smaller than it is.
    let state = (first + i) * 2654435761 + 1;
    for (let at = 0; at < dataBytes; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      data[at] = state >>> 24;
    }
    new DataView(data.buffer).setUint32(0, first + i, true);
    return { key: `key-${(first + i) % 17}`, data };
  });
}

/** The number that `someRecords` wrote into a record. */
export function numberOf(record: { readonly data: Uint8Array }): number {
  return new DataView(record.data.buffer, record.data.byteOffset).getUint32(0, true);
}
