/** ListShards: the shards of a stream, all of them or those of a time, in pages. */
import { InvalidArgumentError, ResourceNotFoundError } from "../../errors/index.ts";
import type { StreamDefinition } from "../../log/control-records.ts";
import { formatPageToken } from "../../model/page-token.ts";
import type { InputOf } from "../../model/shapes.ts";
import {
  chosenShards,
  isShardFilter,
  type ShardFilter,
  trimHorizonMs,
} from "../../streams/shard-filters.ts";
import type { Caller } from "../engine-service.ts";
import { locateStream } from "./located-stream.ts";
import type { Operation, OperationContext } from "./operation.ts";
import { readPageToken, readTokenFilter } from "./pages.ts";
import { requireShardIndex, shardOutput } from "./shard-outputs.ts";

/** Shards of one page when the call does not say. */
const PAGE_SIZE = 1000;

type Input = InputOf<"ListShards">;

/** What a page shows: the shards of a filter whose index is above `after`. */
interface Listing {
  readonly stream: StreamDefinition;
  readonly after: number;
  readonly filter: ShardFilter;
}

/** Lists the shards of a stream by index. */
export const listShards: Operation<"ListShards"> = (context, input, caller) => {
  const { stream, after, filter } =
    input.NextToken === undefined
      ? firstPage(context, input, caller)
      : followingPage(context, input, input.NextToken, caller);
  const shards = chosenShards(stream, filter).filter(({ shardIndex }) => shardIndex > after);
  const page = shards.slice(0, input.MaxResults ?? PAGE_SIZE);
  const last = page.at(-1);
  const output = { Shards: page.map(shardOutput) };
  if (page.length === shards.length || last === undefined) return output;
  const NextToken = formatPageToken({
    operation: "ListShards",
    streamUid: stream.uid,
    position: String(last.shardIndex),
    issuedMs: context.clock.nowMs(),
    filter: JSON.stringify(filter),
  });
  return { ...output, NextToken };
};

function firstPage(context: OperationContext, input: Input, caller: Caller): Listing {
  const { StreamName, StreamARN, StreamId } = input;
  if (StreamName === undefined && StreamARN === undefined && StreamId === undefined) {
    throw new InvalidArgumentError("Either NextToken or StreamName should be provided.", {
      argument: "StreamName",
    });
  }
  const stream = locateStream(context, input, { operation: "ListShards", caller });
  checkListable(context, stream, input.StreamCreationTimestamp);
  const { ShardFilter: filter, ExclusiveStartShardId: start } = input;
  checkFilterMembers(filter);
  const afterStart = start === undefined ? -1 : requireShardIndex("ExclusiveStartShardId", start);
  const afterFilter =
    filter?.ShardId === undefined ? -1 : requireShardIndex("ShardFilter.ShardId", filter.ShardId);
  return {
    stream,
    after: Math.max(afterStart, afterFilter),
    filter: filterOf(filter, stream, context.clock.nowMs()),
  };
}

function followingPage(
  context: OperationContext,
  input: Input,
  token: string,
  caller: Caller,
): Listing {
  for (const member of [
    "StreamName",
    "StreamARN",
    "StreamId",
    "StreamCreationTimestamp",
    "ExclusiveStartShardId",
    "ShardFilter",
  ] as const) {
    if (input[member] === undefined) continue;
    throw new InvalidArgumentError(`NextToken and ${member} cannot be provided together.`, {
      argument: member,
    });
  }
  const page = readPageToken(token, "ListShards", context.clock.nowMs());
  const { name } = context.catalogue.getByUid(page.streamUid);
  const stream = locateStream(context, { StreamName: name }, { operation: "ListShards", caller });
  const filter = readTokenFilter(page.filter, isShardFilter);
  return { stream, after: Number(page.position), filter };
}

/** @throws ResourceInUseError while the stream is CREATING, ResourceNotFoundError for a namesake of it. */
function checkListable(
  context: OperationContext,
  stream: StreamDefinition,
  created: Date | undefined,
): void {
  const seconds = (ms: number): number => Math.floor(ms / 1000);
  // AWS shows the time of creation to the second.
  if (created !== undefined && seconds(created.getTime()) !== seconds(stream.createdMs)) {
    throw ResourceNotFoundError.stream(stream.name);
  }
  if (context.catalogue.status(stream) === "CREATING") context.catalogue.requireActive(stream);
}

/** Refuses a filter with a member of another type, or without its own. @throws InvalidArgumentError. */
function checkFilterMembers(filter: Input["ShardFilter"]): void {
  if (filter === undefined) return;
  const takesShard = filter.Type === "AFTER_SHARD_ID";
  const takesTime = filter.Type === "AT_TIMESTAMP" || filter.Type === "FROM_TIMESTAMP";
  checkMember(filter.Type, "ShardId", takesShard, filter.ShardId !== undefined);
  checkMember(filter.Type, "Timestamp", takesTime, filter.Timestamp !== undefined);
}

function checkMember(type: string, member: string, taken: boolean, given: boolean): void {
  if (taken === given) return;
  throw new InvalidArgumentError(
    `${member} must ${taken ? "" : "not "}be provided with a ShardFilter of type ${type}.`,
    { argument: `ShardFilter.${member}` },
  );
}

function filterOf(
  filter: Input["ShardFilter"],
  stream: StreamDefinition,
  nowMs: number,
): ShardFilter {
  const horizonMs = trimHorizonMs(stream, nowMs);
  switch (filter?.Type) {
    case undefined:
    case "AFTER_SHARD_ID":
      return { kind: "all" };
    case "AT_LATEST":
      return { kind: "open" };
    case "AT_TRIM_HORIZON":
      return { kind: "at", ms: horizonMs };
    case "FROM_TRIM_HORIZON":
      return { kind: "from", ms: horizonMs };
    case "AT_TIMESTAMP":
      return { kind: "at", ms: Math.max(horizonMs, timeOf(filter.Timestamp, nowMs)) };
    case "FROM_TIMESTAMP":
      return { kind: "from", ms: Math.max(horizonMs, timeOf(filter.Timestamp, nowMs)) };
  }
}

/** A filter's time. @throws InvalidArgumentError when it lies ahead. */
function timeOf(timestamp: Date | undefined, nowMs: number): number {
  const timestampMs = timestamp?.getTime() ?? 0;
  if (timestampMs <= nowMs) return timestampMs;
  throw new InvalidArgumentError(
    `Timestamp of the ShardFilter cannot be in the future: ${timestampMs}, now: ${nowMs}.`,
    { argument: "ShardFilter.Timestamp", value: timestampMs, limit: nowMs },
  );
}
