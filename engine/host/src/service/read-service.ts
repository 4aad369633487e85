/** Reads: one packed slice per call, waiting for a commit when there is nothing yet. */
import { FRAME_HEADER_BYTES } from "@millrace/core/layout";
import { ACCOUNT_ID, ResourceNotFoundError, ThroughputExceededError } from "../errors/index.ts";
import type { Log } from "../log/log.ts";
import type { ReadOutcome, ReadPosition } from "../log/reader.ts";
import type { ShardCounters } from "../metrics/shard-counters.ts";
import type { Clock } from "../platform/platform.ts";
import { shardIdOf } from "../sequence/sequence-number.ts";
import type { Catalogue } from "../streams/catalogue.ts";
import type { ReadRequest } from "./engine-service.ts";
import { checkReadRequest } from "./validate.ts";

/** Positions that may be read now, and how long the others have to wait. */
interface Admission {
  readonly admitted: readonly ReadPosition[];
  readonly refused: readonly ReadPosition[];
  readonly retryAfterMs: number;
}

/** A promise that settles at the first of a commit, a timeout and an abort. */
interface Pause {
  readonly over: Promise<void>;
  readonly cancel: () => void;
}

/** Answers reads of one log. */
export class ReadService {
  readonly #log: Log;
  readonly #catalogue: Catalogue;
  readonly #counters: ShardCounters;
  readonly #clock: Clock;
  readonly #quotas: boolean;

  constructor(
    log: Log,
    catalogue: Catalogue,
    counters: ShardCounters,
    clock: Clock,
    quotas: boolean,
  ) {
    this.#log = log;
    this.#catalogue = catalogue;
    this.#counters = counters;
    this.#clock = clock;
    this.#quotas = quotas;
  }

  /** @throws InvalidArgumentError, ResourceNotFoundError, ThroughputExceededError, EngineClosedError. */
  async read(request: ReadRequest, signal: AbortSignal): Promise<ArrayBuffer> {
    checkReadRequest(request);
    const deadlineMs = this.#clock.monotonicMs() + request.waitMs;
    for (;;) {
      signal.throwIfAborted();
      this.#checkOpen();
      const positions = this.#positions(request);
      const admission = this.#admit(positions);
      const leftMs = deadlineMs - this.#clock.monotonicMs();
      const pause = this.#pause(admission, positions, leftMs, signal);
      try {
        const outcome = await this.#log.read(admission.admitted, request);
        if (outcome.recordCount > 0 || leftMs <= 0) {
          return this.#answer(request, admission, outcome);
        }
        await pause.over;
      } finally {
        pause.cancel();
      }
    }
  }

  #checkOpen(): void {
    if (this.#log.failure !== undefined) throw this.#log.failure;
  }

  #positions(request: ReadRequest): ReadPosition[] {
    const stream = this.#catalogue.getByUid(request.streamUid);
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

  /** Takes a read call of every shard that has something to read. */
  #admit(positions: readonly ReadPosition[]): Admission {
    if (!this.#quotas) return { admitted: positions, refused: [], retryAfterMs: 0 };
    const { core } = this.#log;
    const nowMs = this.#clock.monotonicMs();
    const admitted: ReadPosition[] = [];
    const refused: ReadPosition[] = [];
    let retryAfterMs = Number.POSITIVE_INFINITY;
    for (const position of positions) {
      const { slot } = position.shard;
      const waiting = core.position(slot).durableIndex > position.nextIndex;
      const waitMs = waiting ? core.admitRead(slot, nowMs) : 0;
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
    });
    const cancel = (): void => {
      for (const one of cancellations) one();
    };
    return { over, cancel };
  }

  #answer(request: ReadRequest, admission: Admission, outcome: ReadOutcome): ArrayBuffer {
    const [refused] = admission.refused;
    if (refused !== undefined && outcome.recordCount === 0 && request.waitMs === 0) {
      const { shard } = refused;
      throw new ThroughputExceededError(
        `Rate exceeded for shard ${shardIdOf(shard.shardIndex)} in stream ${shard.streamName} under ` +
          `account ${ACCOUNT_ID}. The limit is 5 reads and 2 MiB per second and shard; retry after ` +
          `${Math.ceil(admission.retryAfterMs)} ms.`,
        {
          argument: "cursors",
          value: shardIdOf(shard.shardIndex),
          limit: "5 reads/s, 2 MiB/s",
          retryable: true,
          retryAfterMs: Math.ceil(admission.retryAfterMs),
        },
      );
    }
    this.#account(outcome);
    return outcome.slice;
  }

  #account(outcome: ReadOutcome): void {
    const nowMs = this.#clock.monotonicMs();
    for (const { shard, recordCount, byteLength } of outcome.taken) {
      const outgoingBytes = byteLength - recordCount * FRAME_HEADER_BYTES;
      this.#counters.add(shard.uid, { outgoingRecords: recordCount, outgoingBytes });
      const held = this.#log.slots.ofUid(shard.uid) !== undefined;
      if (this.#quotas && held) this.#log.core.chargeRead(shard.slot, byteLength, nowMs);
    }
  }
}
