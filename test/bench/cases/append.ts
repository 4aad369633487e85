/** Append in the core against plain TypeScript and against copying the same records into such a ring. */
import { BATCH_OK, STATE_CLOSED } from "@millrace/core/border";
import { BLOCK_BYTES, RECORD_BYTES_MAX, SEGMENT_BYTES_MAX } from "@millrace/core/layout";
import { CoreInstance } from "../../../engine/host/src/core/core-instance.ts";
import { buildBatch } from "../../../engine/host/test/support/batches.ts";
import { compare, type Row, type Sample } from "../measure.ts";
import { exportsOf } from "../module-exports.ts";
import { randomRecords, sizeText } from "../payloads.ts";
import { TypeScriptLog } from "../peers/typescript-log.ts";

const RECORDS = 500;
const RING_BYTES = 268_435_456;
/** Bytes that one sample appends at least. */
const SAMPLE_BYTES = 33_554_432;
/** Batches of one sample at most. */
const SAMPLE_BATCHES_MAX = 200;
/** Room for one batch of the largest records. */
const INPUT_BYTES = 8_388_608;
const HASH_KEYS = 1n << 128n;
const LOW_HALF = (1n << 64n) - 1n;

interface FloorExports {
  readonly memory: WebAssembly.Memory;
  init(
    shardCount: number,
    ringBytes: number,
    segmentBytes: number,
    inputBytes: number,
    rowsMax: number,
  ): number;
  copyRing(batch: number): void;
}

/** One of the three that are compared: appends the batch so many times. */
interface Appender {
  append(times: number): Sample;
}

/**
 * Time that passes for the quotas between two batches, so that no shard refuses a record. The fullest of
 * many shards gets several times its share of a batch.
 */
function stepMs(dataBytes: number, shardCount: number): number {
  const records = Math.min(RECORDS, (8 * RECORDS) / shardCount);
  const bytesPerSecond = 1_048_576;
  return Math.ceil(Math.max(records / 1000, (records * (dataBytes + 36)) / bytesPerSecond) * 1100);
}

/** Size of the segments that the core comes to use: a quarter of its arena is for open segments. */
function segmentBytes(shardCount: number): number {
  return shardCount <= 64 ? SEGMENT_BYTES_MAX : BLOCK_BYTES;
}

/** The core itself, quotas enforced. What it appended is sealed and declared between the samples. */
class CoreAppender implements Appender {
  readonly #core: CoreInstance;
  readonly #request: Uint8Array;
  readonly #stepMs: number;
  #nowMs = 1_700_000_000_000;
  #frame = 0;

  constructor(core: CoreInstance, shardCount: number, request: Uint8Array, step: number) {
    this.#core = core;
    this.#request = request;
    this.#stepMs = step;
    if (core.exports.init(shardCount, 1, RING_BYTES / BLOCK_BYTES) === 0)
      throw new Error("no memory");
    for (let slot = 0; slot < shardCount; slot++) {
      const start = (HASH_KEYS * BigInt(slot)) / BigInt(shardCount);
      const end = (HASH_KEYS * BigInt(slot + 1)) / BigInt(shardCount) - 1n;
      for (const [i, word] of [
        start >> 64n,
        start & LOW_HALF,
        end >> 64n,
        end & LOW_HALF,
      ].entries()) {
        core.view.setBigUint64(core.scratchBytes + i * 8, word, true);
      }
      core.exports.addShard(slot, 1, slot + 1, 0, 1, 1);
    }
    const slots = new Uint8Array(Uint32Array.from({ length: shardCount }, (_, i) => i).buffer);
    core.exports.setRoutes(0, core.writeInput(slots), shardCount);
    core.exports.releaseInput();
  }

  append(times: number): Sample {
    const { exports } = this.#core;
    const byteLength = this.#request.byteLength;
    const address = this.#core.writeInput(this.#request);
    let refused = 0;
    const start = performance.now();
    for (let i = 0; i < times; i++) {
      this.#nowMs += this.#stepMs;
      const code = exports.appendBatch(address, byteLength, 0, this.#nowMs, RECORD_BYTES_MAX, 0);
      if (code !== BATCH_OK) throw new Error(`the core refused the batch with code ${code}`);
      refused += this.#core.field(1);
    }
    const elapsedMs = performance.now() - start;
    exports.releaseInput();
    if (refused > 0) throw new Error(`${refused} records were refused`);
    this.#drain();
    return { work: times * RECORDS, elapsedMs };
  }

  /** What a commit and the sealing do, so that the memory can be used again. */
  #drain(): void {
    const { exports } = this.#core;
    exports.cut();
    this.#frame += 1;
    exports.commit(this.#frame);
    const count = exports.findSealable();
    const handles = Array.from({ length: count }, (_, i) => {
      exports.describeSealable(i);
      return this.#core.field(0);
    });
    for (const handle of handles) {
      if (exports.segmentState(handle) !== STATE_CLOSED) throw new Error("a segment is not closed");
      exports.seal(handle, 1);
      exports.declareSealed(handle);
    }
  }
}

/** Nothing but the copies. */
class FloorAppender implements Appender {
  readonly #floor: FloorExports;
  readonly #address: number;

  constructor(floor: FloorExports, shardCount: number, request: Uint8Array) {
    this.#floor = floor;
    const segment = segmentBytes(shardCount);
    this.#address = floor.init(shardCount, RING_BYTES, segment, INPUT_BYTES, RECORDS) >>> 0;
    new Uint8Array(floor.memory.buffer).set(request, this.#address);
  }

  append(times: number): Sample {
    const start = performance.now();
    for (let i = 0; i < times; i++) this.#floor.copyRing(this.#address);
    return { work: times * RECORDS, elapsedMs: performance.now() - start };
  }
}

class TypeScriptAppender implements Appender {
  readonly #log: TypeScriptLog;
  readonly #request: Uint8Array;
  readonly #stepMs: number;
  #nowMs = 1_700_000_000_000;

  constructor(shardCount: number, request: Uint8Array, step: number) {
    this.#log = new TypeScriptLog(shardCount, RING_BYTES, segmentBytes(shardCount));
    this.#request = request;
    this.#stepMs = step;
  }

  append(times: number): Sample {
    let refused = 0;
    const start = performance.now();
    for (let i = 0; i < times; i++) {
      this.#nowMs += this.#stepMs;
      refused += this.#log.append(this.#request, this.#nowMs);
    }
    const elapsedMs = performance.now() - start;
    if (refused > 0) throw new Error(`${refused} records were refused`);
    return { work: times * RECORDS, elapsedMs };
  }
}

/** Memory that is touched for the first time is slow: every ring is filled once before it is measured. */
function fillOnce(appender: Appender, times: number, batchBytes: number): void {
  for (let written = 0; written < RING_BYTES * 1.1; written += times * batchBytes) {
    appender.append(times);
  }
}

async function appendRow(
  modules: { readonly core: WebAssembly.Module; readonly floor: WebAssembly.Module },
  shardCount: number,
  dataBytes: number,
  where: string,
  rounds: number,
): Promise<Row[]> {
  const records = randomRecords(RECORDS, dataBytes).map(({ partitionKey, data }) => ({
    key: partitionKey,
    data,
  }));
  const request = new Uint8Array(buildBatch({ streamUid: 1, batchNumber: 1, records }));
  const step = stepMs(dataBytes, shardCount);
  const times = Math.min(SAMPLE_BATCHES_MAX, Math.ceil(SAMPLE_BYTES / request.byteLength));
  const core = new CoreAppender(
    await CoreInstance.instantiate(modules.core),
    shardCount,
    request,
    step,
  );
  const floor = new FloorAppender(
    await exportsOf<FloorExports>(modules.floor, ["init", "copyRing"]),
    shardCount,
    request,
  );
  const typescript = new TypeScriptAppender(shardCount, request, step);
  for (const appender of [core, floor, typescript]) fillOnce(appender, times, request.byteLength);
  const shards = shardCount === 1 ? "1 shard" : `${shardCount} shards`;
  const name = `append, ${RECORDS} x ${sizeText(dataBytes)}, ${shards}`;
  const common = { name, where, unit: "records/s", rounds };
  const gate = dataBytes === 1024 && shardCount === 64;
  return [
    await compare(
      { ...common, peer: "memcpy into such a ring", target: gate ? { atLeast: 0.33 } : undefined },
      () => core.append(times),
      () => floor.append(times),
    ),
    await compare(
      { ...common, peer: "plain TypeScript", note: "the TypeScript side makes no checksum" },
      () => core.append(times),
      () => typescript.append(times),
    ),
  ];
}

/** Appends of 500 records of three sizes to 1, 64 and 500 shards. */
export async function appendRows(
  coreWasm: BufferSource,
  floorWasm: BufferSource,
  where: string,
  rounds: number,
): Promise<Row[]> {
  const modules = {
    core: await WebAssembly.compile(coreWasm),
    floor: await WebAssembly.compile(floorWasm),
  };
  const rows: Row[] = [];
  for (const dataBytes of [100, 1024, 10_240]) {
    for (const shardCount of [1, 64, 500]) {
      rows.push(...(await appendRow(modules, shardCount, dataBytes, where, rounds)));
    }
  }
  return rows;
}
