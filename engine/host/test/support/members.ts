/** Contexts of one simulated machine that share an engine: real members, real engines, a real broker. */
import { openShared } from "../../src/leader/open-shared.ts";
import { PortBroker } from "../../src/leader/port-broker.ts";
import type { CodeVersion } from "../../src/leader/tab-protocol.ts";
import type { Platform } from "../../src/platform/platform.ts";
import type { Deliver } from "../../src/platform/virtual-channels.ts";
import type { VirtualContext } from "../../src/platform/virtual-context.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { createEngine } from "../../src/service/engine.ts";
import type {
  EngineOptions,
  EngineService,
  MemberStatus,
  StreamDescription,
} from "../../src/service/engine-service.ts";
import { buildBatch, type ReadRecord, readResult, readSlice } from "./batches.ts";
import { coreModule } from "./cores.ts";

const utf8 = new TextEncoder();
const OPTIONS: EngineOptions = {
  name: "test",
  storage: "indexeddb",
  quotas: "unlimited",
  memoryBudgetBytes: 16 * 1024 * 1024,
};

type Opening = (platform: Platform) => Promise<EngineService>;

/** How a tab differs from others. */
export interface TabSettings {
  readonly code?: CodeVersion;
  /** What stands between its member and the opening of an engine. */
  readonly wrap?: (open: Opening) => Opening;
}

/** One tab: a context with a member, and a producer that numbers its batches as a page does. */
export class Tab {
  readonly service: EngineService;
  readonly context: VirtualContext;
  readonly producer: number;
  readonly #unsettled = new Set<number>();
  #lastNumber = 0;

  constructor(service: EngineService, context: VirtualContext, producer: number) {
    this.service = service;
    this.context = context;
    this.producer = producer;
  }

  async status(): Promise<MemberStatus> {
    return await this.service.call("memberStatus", {});
  }

  /** Puts one record; resolves with its sequence index. */
  async put(stream: StreamDescription, text: string): Promise<number> {
    this.#lastNumber += 1;
    const batchNumber = this.#lastNumber;
    this.#unsettled.add(batchNumber);
    const batch = batchOf(stream, this.producer, batchNumber, text);
    const order = { settledBefore: Math.min(...this.#unsettled), ageMs: 0 };
    try {
      const [row] = readResult(await this.service.put(batch, undefined, order));
      return row?.index ?? -1;
    } finally {
      this.#unsettled.delete(batchNumber);
    }
  }
}

/** A machine with tabs. */
export class Tabs {
  readonly platform: VirtualPlatform;
  #opened = 0;

  constructor({ broker = true, deliver }: { broker?: boolean; deliver?: Deliver } = {}) {
    this.platform = virtualPlatform(deliver === undefined ? {} : { deliver });
    if (broker) this.startBroker();
  }

  /** Starts a broker; pages that are opened from now on know it. */
  startBroker(): PortBroker {
    const broker = new PortBroker(this.platform.clock);
    this.platform.network.startBroker((port) => broker.connect(port));
    return broker;
  }

  /** Lets time pass until a promise settles; fails after two virtual minutes. */
  async until<Value>(promise: Promise<Value>): Promise<Value> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    for (let passedMs = 0; !settled && passedMs < 120_000; passedMs += 50) {
      await this.platform.clock.advance(50);
    }
    if (!settled) throw new Error("it did not settle within two minutes");
    return await promise;
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) await this.platform.clock.advance(Math.min(50, left));
  }

  async open(settings: TabSettings = {}): Promise<Tab> {
    return await this.until(this.begin(settings));
  }

  /** Opens a tab; it is there once there is a leader, for which time must pass. */
  async begin({ code, wrap = (open) => open }: TabSettings = {}): Promise<Tab> {
    this.#opened += 1;
    const number = this.#opened;
    const context = this.platform.context(`tab-${number}`);
    const core = await coreModule();
    const open = wrap((platform) => createEngine(platform, core, OPTIONS));
    return new Tab(await openShared(context, OPTIONS, open, code), context, number);
  }

  async createStream(tab: Tab, name = "clicks"): Promise<StreamDescription> {
    return await this.until(
      tab.service.call("createStream", { name, shards: 1, retentionHours: 24, recordKibMax: 1024 }),
    );
  }

  /** Texts of all records of the first shard, in order. */
  async readAll(tab: Tab, stream: StreamDescription): Promise<string[]> {
    const records: ReadRecord[] = [];
    for (let nextIndex = 0; ; ) {
      const slice = await this.until(
        tab.service.read(
          {
            streamUid: stream.uid,
            cursors: [{ shardIndex: 0, nextIndex }],
            recordsMax: 1000,
            bytesMax: 1_048_576,
            waitMs: 0,
          },
          new AbortController().signal,
        ),
      );
      const [part] = readSlice(slice);
      if (part === undefined || part.records.length === 0) return records.map(textOf);
      records.push(...part.records);
      nextIndex = part.nextIndex;
    }
  }
}

/** A batch of one record. */
export function batchOf(
  stream: StreamDescription,
  producer: number,
  batchNumber: number,
  text: string,
): ArrayBuffer {
  const records = [{ key: `${producer}`, data: utf8.encode(text) }];
  return buildBatch({ streamUid: stream.uid, batchNumber, records, producer });
}

function textOf({ data }: ReadRecord): string {
  return new TextDecoder().decode(data);
}
