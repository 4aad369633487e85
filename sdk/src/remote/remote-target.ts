/** A stream of a Kinesis elsewhere as what is put into, by producers and by whatever ships records there. */
import { type EngineClosedError, ResourceNotFoundError } from "@millrace/engine";
import type { InputOf, StructureOf } from "@millrace/engine/model";
import {
  type LeavingTarget,
  NO_ANSWER,
  type PutTarget,
  type TargetIdentity,
  type TargetListing,
  type TargetOutcome,
  type TargetRecord,
} from "../producer/put-target.ts";
import type { RemoteCalls } from "./remote-calls.ts";
import {
  listRemoteShards,
  partsOf,
  RECORD_KIB_MAX,
  type RemoteStreamDescription,
  summarize,
} from "./remote-description.ts";

/** AWS's: what a shard takes in a second. */
const SHARD_RATE = { recordsPerSecond: 1000, bytesPerSecond: 1_048_576 };

/**
 * One stream, as it was when it was described: another one of its name is not the same. Calls name streams by their
 * names; whose shards were listed, the numbers of its records tell the one from the other, to the second.
 */
export class RemoteTarget implements PutTarget {
  readonly name: string;
  readonly identity: TargetIdentity;
  /** AWS promises no order within a call. */
  readonly orderedBytesMax = 0;
  /** A call whose answer was lost is made again, as the KPL makes it; its records may then be there twice. */
  readonly repeatsUncertain = true;
  readonly #calls: RemoteCalls;
  readonly #stream: Pick<RemoteStreamDescription, "name" | "createdMs">;
  readonly #admitted: boolean;
  /** Of the shards that were listed, by their ids: when they were made, as the numbers of their records say it. */
  #createdSeconds: ReadonlyMap<string, number> = new Map();
  /** Whether the numbers of one shard all say the same. */
  #numbersTell = true;

  /** `admitted`: whether who puts here takes on nothing once the closing began, but puts what waited then. */
  constructor(
    calls: RemoteCalls,
    stream: Pick<RemoteStreamDescription, "name" | "arn" | "createdMs">,
    { admitted = false }: { readonly admitted?: boolean } = {},
  ) {
    this.#admitted = admitted;
    this.name = `stream ${stream.name} of ${calls.place}`;
    const { arn, createdMs } = stream;
    this.identity = { place: calls.place, arn, createdMs };
    this.#calls = calls;
    this.#stream = stream;
  }

  /**
   * One PutRecords of 1 to 500 records and at most 10 MiB. @throws as calls do; ResourceNotFoundError when another
   * stream took the records that has the name by now.
   */
  async putRecords(records: readonly TargetRecord[]): Promise<readonly TargetOutcome[]> {
    const input = this.#inputOf(records);
    const answer = await this.#calls.call("PutRecords", input, undefined, this.#admitted);
    const outcomes = records.map((_record, i) => outcomeOf(answer.Records[i]));
    if (this.#numbersTell && outcomes.some((outcome) => this.#isElsewhere(outcome))) {
      await this.#requireSame();
      this.#numbersTell = false;
    }
    return outcomes;
  }

  /** Calls back when the connection is closed. Returns how to end that. */
  onClose(listener: (reason: EngineClosedError) => void): () => void {
    return this.#calls.onClose(listener);
  }

  /**
   * What the last records of a page are put with, in the task in which it ends; nobody hears what comes of them.
   * @throws as calls do.
   */
  async openLeaving(): Promise<LeavingTarget> {
    const input = { StreamName: this.#stream.name };
    const calls = await this.#calls.openLeaving("DescribeStreamSummary", input);
    return {
      put: (records) => calls.send("PutRecords", this.#inputOf(records)),
      close: () => calls.close(),
    };
  }

  #inputOf(records: readonly TargetRecord[]): InputOf<"PutRecords"> {
    return {
      StreamName: this.#stream.name,
      Records: records.map(({ partitionKey, explicitHashKey, data }) => ({
        PartitionKey: partitionKey,
        Data: data,
        ...(explicitHashKey === undefined ? {} : { ExplicitHashKey: explicitHashKey }),
      })),
    };
  }

  /** Whether a record is in a shard that was made at another time than the listed one of its id. */
  #isElsewhere(outcome: TargetOutcome): boolean {
    if ("errorCode" in outcome) return false;
    const { shardId, sequenceNumber } = outcome;
    const listed = this.#createdSeconds.get(shardId);
    return listed !== undefined && partsOf(sequenceNumber)?.createdSeconds !== listed;
  }

  /** The stream by now. @throws ResourceNotFoundError, also for another stream of its name. */
  async #requireSame(): Promise<StructureOf<"StreamDescriptionSummary">> {
    const { name, createdMs } = this.#stream;
    const summary = await summarize(this.#calls, name);
    if (summary.StreamCreationTimestamp.getTime() === createdMs) return summary;
    throw new ResourceNotFoundError(`${this.name} was deleted; another one has its name`, {
      argument: "name",
      value: name,
    });
  }

  /** The stream's shards by now. @throws ResourceNotFoundError, also for another stream of its name. */
  async listShards(): Promise<TargetListing> {
    const [summary, shards] = await Promise.all([
      this.#requireSame(),
      listRemoteShards(this.#calls, this.#stream.name),
    ]);
    this.#createdSeconds = new Map(
      shards.map(({ shardId, createdSeconds }) => [shardId, createdSeconds]),
    );
    return {
      shards: shards.map(({ shardId, startingHashKey, endingHashKey, closedMs }) => ({
        ...{ shardId, startingHashKey, endingHashKey },
        open: closedMs === undefined,
      })),
      spread: summary.RecordDistributionStrategy === "AUTO",
      recordBytesMax: (summary.MaxRecordSizeInKiB ?? RECORD_KIB_MAX) * 1024,
      shardRate: SHARD_RATE,
    };
  }
}

function outcomeOf(entry: StructureOf<"PutRecordsResultEntry"> | undefined): TargetOutcome {
  const { SequenceNumber, ShardId, ErrorCode, ErrorMessage } = entry ?? {};
  if (SequenceNumber !== undefined && ShardId !== undefined) {
    return { sequenceNumber: SequenceNumber, shardId: ShardId };
  }
  if (ErrorCode === undefined) return NO_ANSWER;
  return { errorCode: ErrorCode, errorMessage: ErrorMessage ?? "" };
}
