/** The streams of one engine: creates, describes, lists and deletes them through the log. */
import {
  ACCOUNT_ID,
  LimitExceededError,
  ResourceInUseError,
  ResourceNotFoundError,
} from "../errors/index.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import type { Log } from "../log/log.ts";
import type { Clock } from "../platform/platform.ts";
import { formatSequenceNumber, shardIdOf } from "../sequence/sequence-number.ts";
import { decimalHashKey, uniformRanges } from "./hash-ranges.ts";
import type { ShardDescription, StreamDescription, StreamSpec } from "./stream-types.ts";

/** Open shards of one engine. */
export const OPEN_SHARDS_MAX = 500;
/** Region that ARNs name. */
export const REGION = "us-east-1";

/** ARN of a stream of this engine. */
export function streamArn(name: string): string {
  return `arn:aws:kinesis:${REGION}:${ACCOUNT_ID}:stream/${name}`;
}

/** A stream as it is described to callers. */
export function describeStream(stream: StreamDefinition): StreamDescription {
  const { name, uid, createdMs, retentionHours, recordKibMax } = stream;
  return {
    name,
    uid,
    createdMs,
    retentionHours,
    recordKibMax,
    shards: stream.shards.length,
    arn: streamArn(name),
    status: "ACTIVE",
    openShards: describeShards(stream),
  };
}

function describeShards(stream: StreamDefinition): ShardDescription[] {
  return stream.shards.map((shard) => ({
    shardId: shardIdOf(shard.shardIndex),
    shardIndex: shard.shardIndex,
    startingHashKey: decimalHashKey(shard.startingHashKey),
    endingHashKey: decimalHashKey(shard.endingHashKey),
    startingSequenceNumber: formatSequenceNumber({
      createdSeconds: shard.createdSeconds,
      sequenceIndex: 0,
      arrivalSeconds: shard.createdSeconds,
      shardIndex: shard.shardIndex,
    }),
  }));
}

/** Streams by name. */
export class Catalogue {
  readonly #log: Log;
  readonly #clock: Clock;
  /** Changes run one after the other, so that two of them never decide on the same state. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** All streams by name, in the order of their names. */
  list(): StreamDefinition[] {
    return [...this.#log.control.streams()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** A stream. @throws ResourceNotFoundError when there is none of that name. */
  get(name: string): StreamDefinition {
    for (const stream of this.#log.control.streams()) if (stream.name === name) return stream;
    throw ResourceNotFoundError.stream(name);
  }

  /** A stream. @throws ResourceNotFoundError when there is none with that uid. */
  getByUid(uid: number): StreamDefinition {
    const stream = this.#log.control.stream(uid);
    if (stream === undefined) throw ResourceNotFoundError.stream(`uid ${uid}`);
    return stream;
  }

  /** Creates a stream; durable when it resolves. @throws ResourceInUseError, LimitExceededError. */
  create(spec: StreamSpec): Promise<StreamDefinition> {
    return this.#serially(async () => {
      this.#checkNew(spec);
      const stream = this.#define(spec);
      await this.#log.change([{ kind: "stream-created", stream }]);
      return stream;
    });
  }

  /** Deletes a stream with all its records; durable when it resolves. @throws ResourceNotFoundError. */
  delete(name: string): Promise<void> {
    return this.#serially(async () => {
      await this.#log.change([{ kind: "stream-deleted", streamUid: this.get(name).uid }]);
    });
  }

  #checkNew(spec: StreamSpec): void {
    const streams = this.list();
    if (streams.some((stream) => stream.name === spec.name)) {
      throw new ResourceInUseError(
        `Stream ${spec.name} under account ${ACCOUNT_ID} already exists.`,
        { argument: "name", value: spec.name },
      );
    }
    const open = streams.reduce((sum, stream) => sum + stream.shards.length, 0);
    if (open + spec.shards > OPEN_SHARDS_MAX) {
      throw new LimitExceededError(
        `This request would exceed the shard limit for the account ${ACCOUNT_ID} in ${REGION}. ` +
          `Current shard count for the account: ${open}. Limit: ${OPEN_SHARDS_MAX}. ` +
          `Number of additional shards that would have resulted from this request: ${spec.shards}.`,
        { argument: "shards", value: spec.shards, limit: OPEN_SHARDS_MAX - open },
      );
    }
  }

  #define(spec: StreamSpec): StreamDefinition {
    const { control } = this.#log;
    const createdMs = this.#clock.nowMs();
    // A name's creation seconds increase strictly, so that a stream that is deleted and created
    // again never gives out a sequence number twice.
    const createdSeconds = Math.max(
      Math.floor(createdMs / 1000),
      control.lastCreatedSeconds(spec.name) + 1,
    );
    return {
      uid: control.nextStreamUid,
      name: spec.name,
      createdMs,
      retentionHours: spec.retentionHours,
      recordKibMax: spec.recordKibMax,
      shards: uniformRanges(spec.shards).map((range, shardIndex) => ({
        uid: control.nextShardUid + shardIndex,
        shardIndex,
        createdSeconds,
        ...range,
      })),
    };
  }

  #serially<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = this.#lastChange.then(change);
    this.#lastChange = result.catch(() => undefined);
    return result;
  }
}
