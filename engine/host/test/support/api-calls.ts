/** An engine as AWS's faces call it: operations by name, puts and reads with what they count as. */
import { ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import type { InputOf, OutputOf } from "../../src/model/shapes.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type {
  CallContext,
  EngineOptions,
  ReadRequest,
  StreamDescription,
} from "../../src/service/engine-service.ts";
import type { ControlOperationName } from "../../src/service/operations/operation.ts";
import {
  buildBatch,
  type ReadPart,
  readResult,
  readSlice,
  type TestRecord,
  type TestResultRow,
} from "./batches.ts";
import { TestEngine } from "./engines.ts";

/** As what a call counts. */
export function callOf(
  operation: CallContext["operation"],
  principal: string = ROOT_PRINCIPAL,
): CallContext {
  return { operation, caller: { principal } };
}

/** A {@link TestEngine} with the calls of a face. */
export class ApiEngine {
  readonly engine: TestEngine;
  #batchNumber = 0;

  constructor(engine: TestEngine) {
    this.engine = engine;
  }

  static async open(
    options: Partial<EngineOptions> = {},
    platform: VirtualPlatform = virtualPlatform(),
  ): Promise<ApiEngine> {
    return new ApiEngine(await TestEngine.open(platform, options));
  }

  get platform(): VirtualPlatform {
    return this.engine.platform;
  }

  get service(): TestEngine["service"] {
    return this.engine.service;
  }

  async invoke<Name extends ControlOperationName>(
    operation: Name,
    input: InputOf<Name>,
    principal: string = ROOT_PRINCIPAL,
  ): Promise<OutputOf<Name>> {
    const caller = { principal };
    return (await this.service.call("invoke", { operation, input, caller })) as OutputOf<Name>;
  }

  batch(stream: StreamDescription, records: readonly TestRecord[], ordered = false): ArrayBuffer {
    this.#batchNumber += 1;
    const producer = 4711;
    return buildBatch({
      ...{ streamUid: stream.uid, batchNumber: this.#batchNumber, records, producer, ordered },
    });
  }

  async put(
    stream: StreamDescription,
    records: readonly TestRecord[],
    call: CallContext = callOf("PutRecords"),
  ): Promise<TestResultRow[]> {
    return readResult(await this.service.put(this.batch(stream, records), call));
  }

  /** Reads one shard. */
  async read(
    stream: StreamDescription,
    settings: Partial<ReadRequest> & { shardIndex?: number; nextIndex?: number } = {},
  ): Promise<ReadPart> {
    const { shardIndex = 0, nextIndex = 0, ...rest } = settings;
    const request: ReadRequest = {
      streamUid: stream.uid,
      cursors: [{ shardIndex, nextIndex }],
      recordsMax: 10_000,
      bytesMax: 10_485_760,
      waitMs: 0,
      ...rest,
    };
    const [part] = readSlice(await this.service.read(request, new AbortController().signal));
    if (part === undefined) throw new Error("a slice without a part");
    return part;
  }

  async close(): Promise<void> {
    await this.service.close();
  }
}

/** Turns of the event loop, in which whatever is ready gets its turn. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
