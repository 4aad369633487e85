/** Epochs: what a worker's step changes and puts out, in one frame or not at all. */
import { ROOT_PRINCIPAL } from "../access/principals.ts";
import { CoreTrapError } from "../core/core-errors.ts";
import {
  BackpressureError,
  RequestTooLargeError,
  ResourceInUseError,
  ResourceNotFoundError,
} from "../errors/index.ts";
import { checkEpoch, decideEpoch, epochSize } from "../groups/epoch-decision.ts";
import type { Group } from "../groups/group.ts";
import type { Groups } from "../groups/groups.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import { type AppendedCompound, HalfAppendedError } from "../log/pending-put.ts";
import { streamArn } from "../streams/arns.ts";
import { streamPrefix } from "../streams/documents.ts";
import type { OnDemandScaler } from "../streams/on-demand-scaler.ts";
import type { EpochAnswer, EpochCommit } from "./engine-service.ts";
import type { OperationContext } from "./operations/operation.ts";
import { rowsOf } from "./packed-batch.ts";
import { type BatchHeader, readBatchHeader } from "./put-service.ts";
import { PutTally } from "./put-tally.ts";

/** Bytes of the outputs of one epoch: 8 MiB. One record alone may have as many as its stream takes. */
const OUTPUT_BYTES_MAX = 8_388_608;

/** What epochs work with. */
export interface EpochParts {
  readonly context: OperationContext;
  readonly groups: Groups;
  readonly scaler: OnDemandScaler;
  /** Arrival time of what is appended now, in ms since the Unix epoch. */
  readonly arrivalMs: () => number;
}

/** One request batch of an epoch. */
interface Output {
  readonly header: BatchHeader;
  readonly bytes: Uint8Array;
  readonly tally: PutTally;
}

/** Commits epochs to one log. */
export class EpochService {
  readonly #parts: EpochParts;

  constructor(parts: EpochParts) {
    this.#parts = parts;
  }

  /** See `EngineService.commitEpoch`. */
  async commit(wanted: EpochCommit, buffers: readonly ArrayBuffer[]): Promise<EpochAnswer> {
    const commit = checkEpoch(wanted);
    const outputs = readOutputs(buffers);
    const group = this.#parts.groups.get(commit.groupName);
    const shards = commit.checkpoints.map(({ shardIndex }) => shardIndex);
    const answer = await group.leases.gates.during(shards, () =>
      outputs.length === 0
        ? this.#change(group, commit)
        : this.#changeAndPut(group, commit, outputs),
    );
    // The end of a shard sets its children free, and its owner.
    if (!answer.repeated && commit.checkpoints.some(({ checkpoint }) => "at" in checkpoint)) {
      group.touch(commit.workerId);
      group.kick();
    }
    return answer;
  }

  async #change(group: Group, commit: EpochCommit): Promise<EpochAnswer> {
    const { context } = this.#parts;
    const records = decideEpoch(context, group.leases, commit);
    if (records === undefined) return { repeated: true };
    await context.log.change(records);
    return { repeated: false };
  }

  async #changeAndPut(
    group: Group,
    commit: EpochCommit,
    outputs: readonly Output[],
  ): Promise<EpochAnswer> {
    const { clock, log } = this.#parts.context;
    for (const { header } of outputs) this.#checkAccess(header);
    const startedMs = clock.monotonicMs();
    const byteLength = outputs.reduce((sum, { header }) => sum + header.byteLength, 0);
    const answer = await new Promise<EpochAnswer>((resolve, reject) => {
      log.put({
        streamUid: undefined,
        byteLength: byteLength + epochSize(commit),
        recordCount: outputs.reduce((sum, { header }) => sum + header.recordCount, 0),
        reject,
        append: () => {
          const records = decideEpoch(this.#parts.context, group.leases, commit);
          if (records === undefined) {
            resolve({ repeated: true });
            return undefined;
          }
          this.#requireNewest(commit);
          const streamUids = this.#append(outputs);
          const done = (): void => resolve({ repeated: false });
          return { streamUids, records, resolve: done } satisfies AppendedCompound;
        },
      });
    });
    if (!answer.repeated) this.#count(outputs, clock.monotonicMs() - startedMs);
    return answer;
  }

  /** The application's own principal must be allowed to put. @throws AccessDeniedError, KeyLostError. */
  #checkAccess({ streamUid }: BatchHeader): void {
    const { access, catalogue, keys } = this.#parts.context;
    const stream = catalogue.getByUid(streamUid);
    const resource = { arn: streamArn(stream.name), key: streamPrefix(stream.uid) };
    access.check(ROOT_PRINCIPAL, "PutRecords", resource);
    catalogue.requireUsable(stream);
    keys.check(stream, ROOT_PRINCIPAL, "GenerateDataKey");
  }

  /** @throws ResourceInUseError when a stream has other shards than the outputs were made for. */
  #requireNewest({ newestShards = [] }: EpochCommit): void {
    const { slots } = this.#parts.context.log;
    for (const { streamUid, shardIndex } of newestShards) {
      const newest = slots.ofStream(streamUid).at(-1);
      if (newest === undefined || newest.shardIndex === shardIndex) continue;
      throw new ResourceInUseError(
        `stream ${newest.streamName} was split or merged since these outputs were made for its shards`,
        { argument: "newestShards", value: shardIndex, limit: newest.shardIndex },
      );
    }
  }

  /** Appends all outputs. @throws HalfAppendedError when one is refused behind others. */
  #append(outputs: readonly Output[]): ReadonlySet<number> {
    const nowMs = this.#parts.arrivalMs();
    const targets = outputs.map(({ header }) => this.#targetOf(header));
    for (const [i, { stream, route }] of targets.entries()) {
      const output = outputs[i];
      if (output !== undefined) this.#appendOne(output, { stream, route, nowMs, first: i === 0 });
    }
    return new Set(targets.map(({ stream }) => stream.uid));
  }

  /** The stream of an output as it is now. @throws ResourceNotFoundError, KeyLostError. */
  #targetOf({ streamUid }: BatchHeader): { stream: StreamDefinition; route: number } {
    const { log, keys } = this.#parts.context;
    const stream = log.control.stream(streamUid);
    const route = log.slots.routeOf(streamUid);
    if (stream === undefined || route === undefined) {
      throw ResourceNotFoundError.stream(stream?.name ?? `uid ${streamUid}`);
    }
    keys.requireReady(stream);
    return { stream, route };
  }

  #appendOne(
    { header, bytes, tally }: Output,
    place: { stream: StreamDefinition; route: number; nowMs: number; first: boolean },
  ): void {
    const { core, slots } = this.#parts.context.log;
    const { stream, route, nowMs, first } = place;
    const recordBytesMax = stream.recordKibMax * 1024;
    let refusedCount: number;
    try {
      ({ refusedCount } = core.append(bytes, { route, nowMs, recordBytesMax, overdraws: true }));
    } catch (error) {
      if (first || error instanceof CoreTrapError || !(error instanceof Error)) throw error;
      throw new HalfAppendedError(error);
    }
    if (refusedCount > 0) throw new HalfAppendedError(noRoom(refusedCount));
    tally.clear();
    let i = 0;
    for (const { byteLength } of rowsOf(bytes)) {
      const { slot, status } = core.appendRow(i);
      tally.add(slots.inSlot(slot).shardIndex, status, byteLength);
      i += 1;
    }
    this.#parts.scaler.offered(stream.uid, header.recordCount, tally.offeredBytes);
  }

  #count(outputs: readonly Output[], latencyMs: number): void {
    const { metrics } = this.#parts.context;
    for (const { header, tally } of outputs) {
      const sample = { operation: "PutRecords", latencyMs, shards: tally.shards() } as const;
      metrics.recordPut(header.streamUid, sample);
    }
  }
}

/** Reads and checks the headers of an epoch's outputs. @throws RequestTooLargeError, InvalidArgumentError. */
function readOutputs(buffers: readonly ArrayBuffer[]): Output[] {
  const outputs = buffers.map((buffer) => {
    const header = readBatchHeader(new Uint8Array(buffer));
    const bytes = new Uint8Array(buffer, 0, header.byteLength);
    return { header, bytes, tally: new PutTally() };
  });
  const byteLength = outputs.reduce((sum, { header }) => sum + header.byteLength, 0);
  const recordCount = outputs.reduce((sum, { header }) => sum + header.recordCount, 0);
  if (byteLength <= OUTPUT_BYTES_MAX || recordCount === 1) return outputs;
  throw new RequestTooLargeError(
    `the outputs of an epoch hold at most ${OUTPUT_BYTES_MAX} bytes, but these ${recordCount} hold ${byteLength}`,
    { argument: "outputs", value: byteLength, limit: OUTPUT_BYTES_MAX },
  );
}

function noRoom(refusedCount: number): BackpressureError {
  return new BackpressureError(
    `memory had no room for ${refusedCount} records of an epoch, so that none of it was committed`,
    { argument: "outputs", value: refusedCount, retryable: true },
  );
}
