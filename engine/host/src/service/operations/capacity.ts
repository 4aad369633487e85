/** Capacity and how it is used: stream mode, warm throughput, record size and distribution. */
import { requireNoChannels } from "../../channels/channels.ts";
import {
  ACCOUNT_ID,
  InvalidArgumentError,
  LimitExceededError,
  ValidationError,
} from "../../errors/index.ts";
import type { ControlRecord, StreamDefinition } from "../../log/control-records.ts";
import { streamArn } from "../../streams/arns.ts";
import {
  historyOfShards,
  NO_HISTORY,
  ON_DEMAND_STREAMS_MAX,
  targetCapacity,
  warmCapacity,
} from "../../streams/capacity.ts";
import { streamKey } from "../../streams/documents.ts";
import { openShardsOf } from "../../streams/lineage.ts";
import {
  capacityKey,
  capacityRecords,
  checkWarmThroughput,
  describeWarmThroughput,
  historyOf,
  puttingWarmThroughput,
  requireCapacity,
  warmKey,
} from "../../streams/on-demand.ts";
import {
  describeAccountSettings,
  describeLimits,
  onDemandStreams,
  updateAccountSettings,
} from "./account.ts";
import { locateActiveStream } from "./located-stream.ts";
import type { Operation, OperationContext, OperationTable } from "./operation.ts";

const DAY_MS = 86_400_000;
/** Changes of mode of one stream in a rolling 24-hour period. */
const MODE_CHANGES_PER_DAY_MAX = 2;

/** The part of the document `stream/<uid>/scaling` that this module keeps; the rest is left as it is. */
type ModeTimes = {
  readonly modeMs?: readonly number[];
};

/** The record that counts one more change of mode. @throws LimitExceededError for the third of a day. */
function countedModeChange(
  { documents }: OperationContext,
  stream: StreamDefinition,
  nowMs: number,
): ControlRecord {
  const key = streamKey(stream.uid, "scaling");
  const times = documents.get<ModeTimes>(key);
  // Times that lie a day ahead are of a clock that has been set back since.
  const recent = (times?.modeMs ?? []).filter((atMs) => Math.abs(nowMs - atMs) < DAY_MS);
  if (recent.length >= MODE_CHANGES_PER_DAY_MAX) {
    const retryAfterMs = (recent[0] ?? nowMs) + DAY_MS - nowMs;
    throw new LimitExceededError(
      `Stream ${stream.name} under account ${ACCOUNT_ID} changed its mode ${recent.length} times in ` +
        `the last 24 hours. Limit: ${MODE_CHANGES_PER_DAY_MAX} calls of UpdateStreamMode per stream ` +
        "in a rolling 24-hour period.",
      { argument: "StreamModeDetails", limit: MODE_CHANGES_PER_DAY_MAX, retryAfterMs },
    );
  }
  return documents.putting(key, { ...times, modeMs: [...recent, nowMs] });
}

/** A stream that becomes on-demand keeps its shards, and what they could take for 30 days. */
function becomingOnDemand(
  context: OperationContext,
  stream: StreamDefinition,
  warmMibps: number,
  nowMs: number,
): ControlRecord[] {
  const count = onDemandStreams(context);
  if (count >= ON_DEMAND_STREAMS_MAX) {
    throw new LimitExceededError(
      `Account ${ACCOUNT_ID} has ${count} streams in mode ON_DEMAND. Limit: ${ON_DEMAND_STREAMS_MAX}.`,
      { argument: "StreamModeDetails", value: count + 1, limit: ON_DEMAND_STREAMS_MAX },
    );
  }
  const history = historyOfShards(openShardsOf(stream).length, nowMs);
  const target = targetCapacity(history, nowMs, warmMibps);
  const records = capacityRecords(context, stream, target, nowMs, { mode: "ON_DEMAND" });
  if (history === NO_HISTORY) return records;
  return [...records, context.documents.putting(capacityKey(stream.uid), history)];
}

/** A stream that becomes provisioned keeps its shards; each has a quota of its own from then on. */
function becomingProvisioned(
  { documents }: OperationContext,
  stream: StreamDefinition,
): ControlRecord[] {
  const kept = [capacityKey(stream.uid), warmKey(stream.uid)];
  return [
    {
      kind: "stream-updated",
      streamUid: stream.uid,
      settings: {
        mode: "PROVISIONED",
        writeCapacity: null,
        // Only on-demand streams spread their records.
        distribution: "USER_PARTITION_KEY",
      },
    },
    ...kept.filter((key) => documents.get(key) !== undefined).map((key) => documents.deleting(key)),
  ];
}

/** The records that give an on-demand stream a warm throughput. @throws LimitExceededError. */
function warming(
  context: OperationContext,
  stream: StreamDefinition,
  warmMibps: number,
  nowMs: number,
): ControlRecord[] {
  const { catalogue, documents } = context;
  requireCapacity(catalogue, stream, warmCapacity(warmMibps));
  const target = targetCapacity(historyOf(documents, stream.uid), nowMs, warmMibps);
  return [
    ...capacityRecords(context, stream, target, nowMs),
    puttingWarmThroughput(documents, stream, warmMibps),
  ];
}

/** UpdateStreamMode. The mode that the stream has already is no change. */
export const updateStreamMode: Operation<"UpdateStreamMode"> = async (context, input, caller) => {
  const { catalogue, clock, documents } = context;
  const mode = input.StreamModeDetails.StreamMode;
  const warmMibps = input.WarmThroughputMiBps;
  await catalogue.change(() => {
    const call = { operation: "UpdateStreamMode", caller } as const;
    const stream = locateActiveStream(context, input, call);
    const nowMs = clock.nowMs();
    if (warmMibps !== undefined) checkWarmThroughput(documents, mode, warmMibps, nowMs);
    const updating = catalogue.transitions.beginning(stream.uid, "UPDATING");
    if (mode === stream.mode) {
      if (warmMibps === undefined) return [];
      return [...warming(context, stream, warmMibps, nowMs), ...updating];
    }
    // Channels deliver from on-demand streams only.
    if (mode === "PROVISIONED") requireNoChannels(documents, stream, nowMs);
    const counted = countedModeChange(context, stream, nowMs);
    if (mode === "PROVISIONED") {
      return [...becomingProvisioned(context, stream), counted, ...updating];
    }
    if (warmMibps !== undefined) requireCapacity(catalogue, stream, warmCapacity(warmMibps));
    const warm =
      warmMibps === undefined ? [] : [puttingWarmThroughput(documents, stream, warmMibps)];
    return [
      ...becomingOnDemand(context, stream, warmMibps ?? 0, nowMs),
      ...warm,
      counted,
      ...updating,
    ];
  });
  return undefined;
};

/** UpdateStreamWarmThroughput. */
export const updateStreamWarmThroughput: Operation<"UpdateStreamWarmThroughput"> = async (
  context,
  input,
  caller,
) => {
  const { catalogue, clock, documents } = context;
  const call = { operation: "UpdateStreamWarmThroughput", caller } as const;
  let streamUid = 0;
  await catalogue.change(() => {
    const stream = locateActiveStream(context, input, call);
    const nowMs = clock.nowMs();
    streamUid = stream.uid;
    checkWarmThroughput(documents, stream.mode, input.WarmThroughputMiBps, nowMs);
    return [
      ...warming(context, stream, input.WarmThroughputMiBps, nowMs),
      ...catalogue.transitions.beginning(stream.uid, "UPDATING"),
    ];
  });
  const stream = catalogue.getByUid(streamUid);
  const updating = catalogue.status(stream) === "UPDATING";
  return {
    StreamName: stream.name,
    StreamARN: streamArn(stream.name),
    WarmThroughput: describeWarmThroughput(documents, stream, updating),
  };
};

/** UpdateMaxRecordSize. What is stored already stays as it is. */
export const updateMaxRecordSize: Operation<"UpdateMaxRecordSize"> = async (
  context,
  input,
  caller,
) => {
  const { catalogue } = context;
  const recordKibMax = input.MaxRecordSizeInKiB;
  await catalogue.change(() => {
    const call = { operation: "UpdateMaxRecordSize", caller } as const;
    const stream = locateActiveStream(context, input, call);
    if (recordKibMax === stream.recordKibMax) return [];
    return [
      { kind: "stream-updated", streamUid: stream.uid, settings: { recordKibMax } },
      ...catalogue.transitions.beginning(stream.uid, "UPDATING"),
    ];
  });
  return undefined;
};

/** UpdateStreamRecordDistributionStrategy. Takes effect at once, without a time of UPDATING. */
export const updateStreamRecordDistributionStrategy: Operation<
  "UpdateStreamRecordDistributionStrategy"
> = async (context, input, caller) => {
  const distribution = input.RecordDistributionStrategy;
  await context.catalogue.change(() => {
    const call = { operation: "UpdateStreamRecordDistributionStrategy", caller } as const;
    const stream = locateActiveStream(context, input, call);
    if (stream.mode !== "ON_DEMAND") throw notOnDemand(stream, distribution);
    if (distribution === stream.distribution) return [];
    return [{ kind: "stream-updated", streamUid: stream.uid, settings: { distribution } }];
  });
  return undefined;
};

/** AWS's documentation has another error for AUTO than for the operation on a provisioned stream as such. */
function notOnDemand(stream: StreamDefinition, distribution: string): Error {
  const message =
    `RecordDistributionStrategy ${distribution} cannot be set: stream ${stream.name} under account ` +
    `${ACCOUNT_ID} is in PROVISIONED mode, and the strategy is only supported for ON_DEMAND mode.`;
  const details = { argument: "RecordDistributionStrategy", value: distribution };
  return distribution === "AUTO"
    ? new InvalidArgumentError(message, details)
    : new ValidationError(message, details);
}

/** Operations about capacity, the account and encryption. */
export const capacityOperations: Pick<
  OperationTable,
  | "DescribeAccountSettings"
  | "DescribeLimits"
  | "UpdateAccountSettings"
  | "UpdateMaxRecordSize"
  | "UpdateStreamMode"
  | "UpdateStreamRecordDistributionStrategy"
  | "UpdateStreamWarmThroughput"
> = {
  DescribeAccountSettings: describeAccountSettings,
  DescribeLimits: describeLimits,
  UpdateAccountSettings: updateAccountSettings,
  UpdateMaxRecordSize: updateMaxRecordSize,
  UpdateStreamMode: updateStreamMode,
  UpdateStreamRecordDistributionStrategy: updateStreamRecordDistributionStrategy,
  UpdateStreamWarmThroughput: updateStreamWarmThroughput,
};
