/**
 * The inventory of an engine: its streams with all that belongs to them, read in one go. No call of AWS's is
 * made for it, so that neither policies nor rates nor injected faults hide anything, and the trail tells nothing.
 */
import { policyKey } from "../access/access-control.ts";
import { channelsOf } from "../channels/channels.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import { enabledShardMetrics } from "../metrics/enabled-metrics.ts";
import { hasAdvantage } from "../streams/account.ts";
import { consumersOf } from "../streams/consumers.ts";
import { streamPrefix } from "../streams/documents.ts";
import { warmMibpsOf } from "../streams/on-demand.ts";
import { tagsOf } from "../streams/tags.ts";
import { TRAIL_KEY } from "./call-trail.ts";
import { TIME_KEY } from "./engine-life.ts";
import type { Inventory, StreamInventory } from "./inventory-types.ts";
import type { OperationContext } from "./operations/operation.ts";

/** What an engine holds at this moment. */
export function inventoryOf(context: OperationContext): Inventory {
  const { catalogue, clock, documents, options } = context;
  return {
    name: options.name,
    streams: catalogue.list().map((stream) => streamInventory(context, stream)),
    trailStreamName: documents.get<string>(TRAIL_KEY) ?? null,
    advantage: hasAdvantage(documents, clock.nowMs()),
    virtualMs: documents.get<number>(TIME_KEY) ?? null,
  };
}

function streamInventory(context: OperationContext, stream: StreamDefinition): StreamInventory {
  const { catalogue, clock, documents } = context;
  const nowMs = clock.nowMs();
  const key = streamPrefix(stream.uid);
  return {
    stream: catalogue.describe(stream),
    ...belongings(context, key),
    shardMetrics: enabledShardMetrics(documents, stream.uid),
    warmMibps: warmMibpsOf(documents, stream.uid, nowMs),
    consumers: consumersOf(documents, stream, nowMs).map(({ name, arn, status, key: prefix }) => ({
      ...{ name, arn, status },
      ...belongings(context, prefix),
    })),
    channelNames: channelsOf(documents, stream.uid, nowMs).map(({ name }) => name),
  };
}

/** What streams and consumers alike have under the prefix of their documents. */
function belongings({ documents }: OperationContext, key: string) {
  return { tags: tagsOf(documents, key), policy: documents.get<string>(policyKey(key)) ?? null };
}
