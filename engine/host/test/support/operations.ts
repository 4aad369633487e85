/** The parts of an engine that operations work with, over a virtual machine, without the wiring above them. */
import { AccessControl } from "../../src/access/access-control.ts";
import { ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import { Core } from "../../src/core/core.ts";
import type { StreamDefinition } from "../../src/log/control-records.ts";
import { Log } from "../../src/log/log.ts";
import type { AppendedPut } from "../../src/log/pending-put.ts";
import { BatchResultBuilder } from "../../src/log/producer-table.ts";
import { ROUTES_MAX, SHARD_SLOTS_MAX } from "../../src/log/shard-slots.ts";
import { MetricsRegistry } from "../../src/metrics/metrics-registry.ts";
import { hexOfBytes } from "../../src/model/hex.ts";
import type { InputOf, OutputOf } from "../../src/model/shapes.ts";
import { validateInput } from "../../src/model/validate.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { EngineKeys } from "../../src/service/engine-keys.ts";
import type { EngineOptions } from "../../src/service/engine-service.ts";
import type {
  ControlOperationName,
  OperationContext,
  OperationTable,
} from "../../src/service/operations/operation.ts";
import { Catalogue } from "../../src/streams/catalogue.ts";
import {
  buildBatch,
  readResult,
  readSlice,
  type TestRecord,
  type TestResultRow,
} from "./batches.ts";
import { coreModule } from "./cores.ts";

type ReadPart = ReturnType<typeof readSlice>[number];

const ARENA_BYTES = 32 * 1024 * 1024;

/** How a context is opened: options of the engine, and the machine that it runs on. */
export interface ContextOptions extends Partial<EngineOptions> {
  /** A new one when absent; give the same one again to open the same store again. */
  readonly platform?: VirtualPlatform;
}

/** An {@link OperationContext} of real parts, and what tests do with it. */
export class TestContext {
  readonly context: OperationContext;
  readonly platform: VirtualPlatform;
  readonly producer: number;
  #batchNumber = 0;

  constructor(context: OperationContext, platform: VirtualPlatform, producer: number) {
    this.context = context;
    this.platform = platform;
    this.producer = producer;
  }

  /**
   * Runs an operation as `invoke` does: with a validated input, by default for the application itself.
   * `table` is the family that the operation belongs to.
   */
  async invoke<Name extends ControlOperationName>(
    table: Pick<OperationTable, Name>,
    operation: Name,
    input: InputOf<Name>,
    principal: string = ROOT_PRINCIPAL,
  ): Promise<OutputOf<Name>> {
    const run: OperationTable[Name] = table[operation];
    return await run(this.context, validateInput(operation, input), { principal });
  }

  /** Appends records of a stream; resolves when they are durable. */
  put(stream: StreamDefinition, records: readonly TestRecord[]): Promise<TestResultRow[]> {
    const { log, clock } = this.context;
    this.#batchNumber++;
    const batchNumber = this.#batchNumber;
    const { producer } = this;
    const batch = buildBatch({ streamUid: stream.uid, batchNumber, records, producer });
    const bytes = new Uint8Array(batch);
    const producerId = hexOfBytes(bytes.subarray(16, 32));
    return new Promise<ArrayBuffer>((resolve, reject) => {
      const append = (): AppendedPut => {
        const route = log.slots.routeOf(stream.uid);
        if (route === undefined) throw new Error(`stream ${stream.name} has no route`);
        const { core, slots } = log;
        const nowMs = clock.nowMs();
        core.append(bytes, { route, nowMs, recordBytesMax: stream.recordKibMax * 1024 });
        const result = core.packResult(nowMs, (slot) => slots.inSlot(slot));
        const builder = new BatchResultBuilder(records.length);
        for (let i = 0; i < records.length; i++) {
          const row = core.appendRow(i);
          builder.add(i, slots.inSlot(row.slot).uid, row.status, row.index);
        }
        return {
          streamUid: stream.uid,
          streamName: stream.name,
          result,
          outcome: builder.build(producerId, batchNumber, nowMs, records.length),
          byteLength: bytes.byteLength,
          resolve,
          reject,
        };
      };
      const { byteLength } = bytes;
      log.put({ streamUid: stream.uid, byteLength, recordCount: records.length, reject, append });
    }).then(readResult);
  }

  /** Everything that a shard holds from an index on. */
  async read(stream: StreamDefinition, shardIndex: number, nextIndex: number): Promise<ReadPart> {
    const { log } = this.context;
    const shard = log.slots.ofStream(stream.uid).find((one) => one.shardIndex === shardIndex);
    if (shard === undefined) throw new Error(`stream ${stream.name} has no shard ${shardIndex}`);
    const limits = { recordsMax: 10_000, bytesMax: 10_485_760 };
    const outcome = await log.read([{ shard, nextIndex }], limits);
    const [part] = readSlice(outcome.slice);
    if (part === undefined) throw new Error("the slice has no part");
    return part;
  }

  /** Lets virtual time pass. */
  async advance(byMs: number): Promise<void> {
    await this.platform.clock.advance(byMs);
  }

  /** Closes the log; the machine keeps its store. */
  async close(): Promise<void> {
    this.context.catalogue.stop();
    await this.context.log.close();
  }
}

/** Opens the parts of an engine. */
export async function openContext(options: ContextOptions = {}): Promise<TestContext> {
  const { platform = virtualPlatform(), ...engine } = options;
  const { clock, random } = platform;
  const settings: EngineOptions = {
    name: "test",
    storage: "indexeddb",
    quotas: "unlimited",
    memoryBudgetBytes: 64 * 1024 * 1024,
    ...engine,
  };
  const core = await Core.instantiate(await coreModule(), {
    shardSlotsMax: SHARD_SLOTS_MAX,
    routesMax: ROUTES_MAX,
    arenaBytesMax: ARENA_BYTES,
  });
  const vault = await platform.vaults.open(settings.name);
  const log = await Log.open({
    name: settings.name,
    vault,
    core,
    store: await platform.stores.open(settings.name, settings.storage),
    clock,
    random,
    arenaBytesMax: ARENA_BYTES,
    writeQuotas: settings.quotas === "aws",
    onCommitted: () => undefined,
  });
  const catalogue = new Catalogue(log, clock, settings);
  const { documents } = catalogue;
  const access = new AccessControl(documents);
  const metrics = new MetricsRegistry(clock);
  await catalogue.resume();
  const keys = new EngineKeys({ log, clock, random, catalogue, vault, recoverable: true });
  const parts = { log, clock, random, catalogue, documents, access, metrics, keys };
  const context = { ...parts, options: settings };
  const producer = new DataView(random.fill(new Uint8Array(4)).buffer).getUint32(0);
  return new TestContext(context, platform, producer);
}
