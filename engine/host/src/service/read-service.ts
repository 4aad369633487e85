/** Reads: one packed slice per call, waiting for a commit when there is nothing yet. */
import {
  FRAME_HEADER_BYTES,
  READ_CALLS_PER_SECOND,
  SLICE_ENCRYPTED,
  SLICE_FLAGS,
} from "@millrace/core/layout";
import { ROOT_PRINCIPAL } from "../access/principals.ts";
import {
  ACCOUNT_ID,
  InvalidArgumentError,
  ResourceNotFoundError,
  ThroughputExceededError,
} from "../errors/index.ts";
import { encryptionOf } from "../log/data-keys.ts";
import type { Log } from "../log/log.ts";
import type { ReadOutcome, ReadPosition } from "../log/reader.ts";
import type { ShardCounters } from "../metrics/shard-counters.ts";
import type { Clock } from "../platform/platform.ts";
import { shardIdOf } from "../sequence/sequence-number.ts";
import { streamArn } from "../streams/arns.ts";
import { streamPrefix } from "../streams/documents.ts";
import type { RunningSubscription, Subscriptions } from "../streams/subscriptions.ts";
import type { CallContext, ReadRequest } from "./engine-service.ts";
import { checkIterator, checkIteratorStream } from "./iterator-check.ts";
import type { OperationContext } from "./operations/operation.ts";
import { summarizeParts } from "./slice-parts.ts";
import { checkReadRequest } from "./validate.ts";

/** A read that was made by nobody but the application itself. */
export const OWN_READ: CallContext = {
  operation: "GetRecords",
  caller: { principal: ROOT_PRINCIPAL },
};

/** What reads work with. */
export interface ReadParts {
  readonly context: OperationContext;
  readonly counters: ShardCounters;
  readonly subscriptions: Subscriptions;
}

/** Positions that may be read now, and how long the others have to wait. */
interface Admission {
  readonly admitted: readonly ReadPosition[];
  readonly refused: readonly ReadPosition[];
  readonly retryAfterMs: number;
}

/** A read that the log has answered. */
interface DoneRead {
  readonly request: ReadRequest;
  /** As it was when the read began: what was taken is handed out, whoever took the subscription over since. */
  readonly running: RunningSubscription | undefined;
  readonly admission: Admission;
  readonly outcome: ReadOutcome;
  /** Monotonic time. */
  readonly beganMs: number;
}

/** A promise that settles at the first of a commit, a timeout, an abort and the end of the subscription. */
interface Pause {
  readonly over: Promise<void>;
  readonly cancel: () => void;
}

/** Answers reads of one log. */
export class ReadService {
  readonly #context: OperationContext;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #counters: ShardCounters;
  readonly #subscriptions: Subscriptions;
  readonly #quotas: boolean;

  constructor({ context, counters, subscriptions }: ReadParts) {
    this.#context = context;
    this.#log = context.log;
    this.#clock = context.clock;
    this.#counters = counters;
    this.#subscriptions = subscriptions;
    this.#quotas = context.options.quotas === "aws";
  }

  /**
   * @throws InvalidArgumentError, ResourceNotFoundError, AccessDeniedError, ExpiredIteratorError.
   * @throws ThroughputExceededError when the shard's read quota is used up and the read does not wait,
   * or waited for its subscription's and was not long enough.
   * @throws ResourceInUseError when the subscription was taken over; EngineClosedError.
   */
  async read(request: ReadRequest, signal: AbortSignal): Promise<ArrayBuffer> {
    checkReadRequest(request);
    const running = this.#authorise(request);
    const waitMs = Math.min(request.waitMs, running?.remainingMs ?? request.waitMs);
    const deadlineMs = this.#clock.monotonicMs() + waitMs;
    for (;;) {
      signal.throwIfAborted();
      this.#checkOpen();
      const beganMs = this.#clock.monotonicMs();
      const positions = this.#positions(request);
      const admission = this.#admit(request, positions);
      const leftMs = deadlineMs - beganMs;
      const pause = this.#pause(request, admission, positions, leftMs, signal);
      try {
        const outcome = await this.#log.read(admission.admitted, request);
        // The end of a closed shard is news that no reader should wait for.
        if (outcome.recordCount > 0 || outcome.ended.length > 0 || leftMs <= 0) {
          return this.#answer({ request, running, admission, outcome, beganMs });
        }
        await pause.over;
        this.#authorise(request);
      } finally {
        pause.cancel();
      }
    }
  }

  #checkOpen(): void {
    if (this.#log.failure !== undefined) throw this.#log.failure;
  }

  /** Lets a read pass, by its subscription or by the stream's policy. */
  #authorise(request: ReadRequest): RunningSubscription | undefined {
    const { access, catalogue, keys } = this.#context;
    const { call = OWN_READ, iterator, streamUid } = request;
    const running = this.#verify(request);
    if (running !== undefined) {
      requireOwnShard(request, running);
      keys.check(catalogue.getByUid(streamUid), call.caller.principal, "Decrypt");
      return running;
    }
    const stream = catalogue.getByUid(streamUid);
    const resource = { arn: streamArn(stream.name), key: streamPrefix(stream.uid) };
    access.check(call.caller.principal, call.operation, resource);
    catalogue.requireUsable(stream);
    keys.check(stream, call.caller.principal, "Decrypt");
    if (iterator === undefined) return undefined;
    checkIteratorStream(catalogue, stream, iterator.streamArn);
    for (const { shardIndex } of request.cursors) {
      checkIterator(iterator, stream, shardIndex, this.#clock.nowMs());
    }
    return undefined;
  }

  /** The subscription that a read is made for, if it is made for one. @throws as `Subscriptions.verify`. */
  #verify({ subscription, call = OWN_READ }: ReadRequest): RunningSubscription | undefined {
    if (subscription === undefined) return undefined;
    return this.#subscriptions.verify(subscription, call.caller.principal);
  }

  #positions(request: ReadRequest): ReadPosition[] {
    const stream = this.#context.catalogue.getByUid(request.streamUid);
    const shards = new Map(
      this.#log.slots.ofStream(stream.uid).map((shard) => [shard.shardIndex, shard]),
    );
    return request.cursors.map(({ shardIndex, nextIndex }) => {
      const shard = shards.get(shardIndex);
      if (shard === undefined)
        throw ResourceNotFoundError.shard(shardIdOf(shardIndex), stream.name);
      return { shard, nextIndex };
    });
  }

  /** Takes a read call of every shard that is to be read. */
  #admit(request: ReadRequest, positions: readonly ReadPosition[]): Admission {
    if (!this.#quotas) return { admitted: positions, refused: [], retryAfterMs: 0 };
    const { core } = this.#log;
    const nowMs = this.#clock.monotonicMs();
    const { subscription } = request;
    const admitted: ReadPosition[] = [];
    const refused: ReadPosition[] = [];
    let retryAfterMs = Number.POSITIVE_INFINITY;
    for (const position of positions) {
      const { slot } = position.shard;
      // Each GetRecords is a call; a read that waits is one when there is something to read.
      const waiting =
        request.iterator !== undefined || core.position(slot).durableIndex > position.nextIndex;
      const waitMs = !waiting
        ? 0
        : subscription === undefined
          ? core.admitRead(slot, nowMs)
          : this.#subscriptions.admit(subscription.id, nowMs);
      if (waitMs === 0) {
        admitted.push(position);
      } else {
        refused.push(position);
        retryAfterMs = Math.min(retryAfterMs, waitMs);
      }
    }
    return { admitted, refused, retryAfterMs };
  }

  /** Begins to wait before the read looks, so that no commit in between is missed. */
  #pause(
    { subscription }: ReadRequest,
    admission: Admission,
    positions: readonly ReadPosition[],
    leftMs: number,
    signal: AbortSignal,
  ): Pause {
    if (leftMs <= 0) return { over: Promise.resolve(), cancel: () => undefined };
    const cancellations: (() => void)[] = [];
    const over = new Promise<void>((resolve) => {
      const slots = positions.map(({ shard }) => shard.slot);
      cancellations.push(this.#log.onCommit(slots, resolve));
      const waitMs = Math.min(leftMs, Math.max(1, admission.retryAfterMs || leftMs));
      cancellations.push(this.#clock.after(waitMs, resolve));
      const aborted = (): void => resolve();
      signal.addEventListener("abort", aborted, { once: true });
      cancellations.push(() => signal.removeEventListener("abort", aborted));
      if (subscription !== undefined) {
        cancellations.push(this.#subscriptions.onEnd(subscription.id, resolve));
      }
    });
    const cancel = (): void => {
      for (const one of cancellations) one();
    };
    return { over, cancel };
  }

  #answer(done: DoneRead): ArrayBuffer {
    const { request, running, admission, outcome } = done;
    const [refused] = admission.refused;
    // Over a subscription's one shard there is nothing else to tell; other reads wait and ask again.
    const tells = request.waitMs === 0 || running !== undefined;
    const throttled =
      refused !== undefined && outcome.recordCount === 0 && tells
        ? throttledError(request, refused, admission.retryAfterMs)
        : undefined;
    this.#measure(done, throttled === undefined ? [] : admission.refused);
    if (throttled !== undefined) throw throttled;
    this.#account(request, outcome);
    if (encryptionOf(this.#log.control, request.streamUid) !== undefined) {
      new DataView(outcome.slice).setUint16(SLICE_FLAGS, SLICE_ENCRYPTED, true);
    }
    return outcome.slice;
  }

  #account({ subscription }: ReadRequest, outcome: ReadOutcome): void {
    const nowMs = this.#clock.monotonicMs();
    for (const { shard, recordCount, byteLength } of outcome.taken) {
      const outgoingBytes = byteLength - recordCount * FRAME_HEADER_BYTES;
      this.#counters.add(shard.uid, { outgoingRecords: recordCount, outgoingBytes });
      if (!this.#quotas) continue;
      // What the engine writes around a record is none of the reader's.
      if (subscription !== undefined) {
        this.#subscriptions.charge(subscription.id, outgoingBytes, nowMs);
      } else if (this.#log.slots.ofUid(shard.uid) !== undefined) {
        this.#log.core.chargeRead(shard.slot, outgoingBytes, nowMs);
      }
    }
  }

  /** Counts what a read gave, or that the shards' quotas refused it. */
  #measure(
    { request: { streamUid }, running, outcome, beganMs }: DoneRead,
    throttled: readonly ReadPosition[],
  ): void {
    const { metrics } = this.#context;
    const parts = summarizeParts(outcome.slice);
    if (running !== undefined) {
      const { consumerName } = running;
      for (const { shardIndex, recordCount: records, payloadBytes: bytes, behindMs } of parts) {
        const millisBehindLatest = behindMs;
        const sample = { consumerName, shardIndex, records, bytes, millisBehindLatest };
        metrics.recordEvent(streamUid, sample);
      }
      return;
    }
    const read = parts.map(({ shardIndex, recordCount, payloadBytes, behindMs }) => ({
      shardIndex,
      records: recordCount,
      bytes: payloadBytes,
      iteratorAgeMs: behindMs,
      throttled: false,
    }));
    const refused = throttled.map(({ shard: { shardIndex } }) => ({
      ...{ shardIndex, records: 0, bytes: 0, iteratorAgeMs: 0 },
      throttled: true,
    }));
    const latencyMs = this.#clock.monotonicMs() - beganMs;
    metrics.recordRead(streamUid, { latencyMs, shards: [...read, ...refused] });
  }
}

/** Refuses a read of anything but the shard that its subscription is for. */
function requireOwnShard(request: ReadRequest, running: RunningSubscription): void {
  const [cursor] = request.cursors;
  const own =
    request.streamUid === running.streamUid &&
    request.cursors.length === 1 &&
    cursor?.shardIndex === running.shardIndex;
  if (own) return;
  throw new InvalidArgumentError("a subscription reads exactly the one shard that it is for", {
    argument: "subscription",
    value: request.subscription?.id ?? null,
  });
}

/** Longest wait for a read call, in ms: a longer one is for bytes. */
const CALL_WAIT_MS_MAX = 1000 / READ_CALLS_PER_SECOND;

/** The limit that a read has to wait for, as far as the wait tells. */
function limitOf({ subscription }: ReadRequest, waitMs: number): string {
  if (subscription !== undefined) return "2 MiB per second, consumer and shard";
  if (waitMs > CALL_WAIT_MS_MAX) return "2 MiB per second and shard";
  return "5 reads and 2 MiB per second and shard";
}

function throttledError(
  request: ReadRequest,
  { shard }: ReadPosition,
  waitMs: number,
): ThroughputExceededError {
  const shardId = shardIdOf(shard.shardIndex);
  const retryAfterMs = Math.ceil(waitMs);
  const limit = limitOf(request, waitMs);
  return new ThroughputExceededError(
    `Rate exceeded for shard ${shardId} in stream ${shard.streamName} under ` +
      `account ${ACCOUNT_ID}. The limit is ${limit}; retry after ${retryAfterMs} ms.`,
    { argument: "cursors", value: shardId, limit, retryable: true, retryAfterMs },
  );
}
