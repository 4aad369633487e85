/** The account: DescribeLimits, DescribeAccountSettings and UpdateAccountSettings. */
import { allChannels, CHANNELS_MAX } from "../../channels/channels.ts";
import type { OutputOf } from "../../model/shapes.ts";
import {
  COMMITMENT_MS_MIN,
  type Commitment,
  commitmentOf,
  commitmentStatus,
  puttingCommitment,
} from "../../streams/account.ts";
import { ON_DEMAND_STREAMS_MAX } from "../../streams/capacity.ts";
import { OPEN_SHARDS_MAX } from "../../streams/catalogue.ts";
import type { Operation, OperationContext } from "./operation.ts";

/** Number of streams in mode ON_DEMAND. */
export function onDemandStreams({ catalogue }: OperationContext): number {
  return catalogue.list().filter(({ mode }) => mode === "ON_DEMAND").length;
}

/** DescribeLimits. */
export const describeLimits: Operation<"DescribeLimits"> = (context, _input, { principal }) => {
  const { access, catalogue, clock, documents } = context;
  access.checkAccount(principal, "DescribeLimits");
  return {
    ShardLimit: OPEN_SHARDS_MAX,
    OpenShardCount: catalogue.openShards,
    OnDemandStreamCount: onDemandStreams(context),
    OnDemandStreamCountLimit: ON_DEMAND_STREAMS_MAX,
    ChannelCount: allChannels(documents, clock.nowMs()).length,
    ChannelCountLimit: CHANNELS_MAX,
  };
};

/** The settings as AWS describes them. */
function settingsOutput({
  clock,
  documents,
}: OperationContext): OutputOf<"DescribeAccountSettings"> {
  const commitment = commitmentOf(documents);
  const Status = commitmentStatus(commitment, clock.nowMs());
  if (commitment === undefined) return { MinimumThroughputBillingCommitment: { Status } };
  const { startedMs, endedMs } = commitment;
  return {
    MinimumThroughputBillingCommitment: {
      Status,
      StartedAt: new Date(startedMs),
      EarliestAllowedEndAt: new Date(startedMs + COMMITMENT_MS_MIN),
      ...(endedMs === undefined ? {} : { EndedAt: new Date(endedMs) }),
    },
  };
}

/** DescribeAccountSettings. */
export const describeAccountSettings: Operation<"DescribeAccountSettings"> = (
  context,
  _input,
  { principal },
) => {
  context.access.checkAccount(principal, "DescribeAccountSettings");
  return settingsOutput(context);
};

/** The commitment after a call; undefined when the call changes nothing. */
function changedCommitment(
  before: Commitment | undefined,
  wanted: "ENABLED" | "DISABLED",
  nowMs: number,
): Commitment | undefined {
  const status = commitmentStatus(before, nowMs);
  if (wanted === "DISABLED") {
    if (before === undefined || status !== "ENABLED") return undefined;
    return { ...before, endedMs: Math.max(nowMs, before.startedMs + COMMITMENT_MS_MIN) };
  }
  if (before === undefined || status === "DISABLED") return { startedMs: nowMs };
  // It goes on, as if nobody had ended it.
  return status === "ENABLED" ? undefined : { startedMs: before.startedMs };
}

/** UpdateAccountSettings. A commitment that is ended within its first day lasts until that day is over. */
export const updateAccountSettings: Operation<"UpdateAccountSettings"> = async (
  context,
  input,
  { principal },
) => {
  const { access, catalogue, clock, documents } = context;
  access.checkAccount(principal, "UpdateAccountSettings");
  const wanted = input.MinimumThroughputBillingCommitment.Status;
  await catalogue.change(() => {
    const commitment = changedCommitment(commitmentOf(documents), wanted, clock.nowMs());
    return commitment === undefined ? [] : [puttingCommitment(documents, commitment)];
  });
  return settingsOutput(context);
};
