/** The control operation `streamMetrics`: from names to the registry's numbers. */
import type { Datapoint, MetricsRegistry } from "../metrics/metrics-registry.ts";
import { shardIndexOf } from "../sequence/sequence-number.ts";
import type { Catalogue } from "../streams/catalogue.ts";
import type { ControlOperations } from "./engine-service.ts";

/** Datapoints of one metric. @throws ResourceNotFoundError, InvalidArgumentError. */
export function streamMetrics(
  parts: { readonly catalogue: Catalogue; readonly metrics: MetricsRegistry },
  argument: Parameters<ControlOperations["streamMetrics"]>[0],
): Datapoint[] {
  const { name, metricName, shardId, consumerName, startMs, endMs } = argument;
  return parts.metrics.get({
    streamUid: parts.catalogue.get(name).uid,
    metricName,
    startMs,
    endMs,
    ...(shardId === undefined ? {} : { shardIndex: shardIndexOf(shardId) }),
    ...(consumerName === undefined ? {} : { consumerName }),
  });
}
