/** Shard-level metrics: EnableEnhancedMonitoring and DisableEnhancedMonitoring. */
import { enabledShardMetrics, enablingRecord } from "../../metrics/enabled-metrics.ts";
import { isShardMetric, SHARD_METRICS, type ShardMetricName } from "../../metrics/metric-names.ts";
import type { InputOf, OutputOf } from "../../model/shapes.ts";
import { streamArn } from "../../streams/arns.ts";
import type { Caller } from "../engine-service.ts";
import { locateActiveStream } from "./located-stream.ts";
import type { Operation, OperationContext, OperationTable } from "./operation.ts";

type MonitoringOperation = "EnableEnhancedMonitoring" | "DisableEnhancedMonitoring";

const enableEnhancedMonitoring: Operation<"EnableEnhancedMonitoring"> = (context, input, caller) =>
  change(
    context,
    "EnableEnhancedMonitoring",
    input,
    caller,
    (name, current, named) => current.has(name) || named.has(name),
  );

const disableEnhancedMonitoring: Operation<"DisableEnhancedMonitoring"> = (
  context,
  input,
  caller,
) =>
  change(
    context,
    "DisableEnhancedMonitoring",
    input,
    caller,
    (name, current, named) => current.has(name) && !named.has(name),
  );

/** The operations of this family. */
export const monitoringOperations: Pick<OperationTable, MonitoringOperation> = {
  EnableEnhancedMonitoring: enableEnhancedMonitoring,
  DisableEnhancedMonitoring: disableEnhancedMonitoring,
};

async function change(
  context: OperationContext,
  operation: MonitoringOperation,
  input: InputOf<MonitoringOperation>,
  caller: Caller,
  isDesired: (
    name: ShardMetricName,
    current: ReadonlySet<ShardMetricName>,
    named: ReadonlySet<ShardMetricName>,
  ) => boolean,
): Promise<OutputOf<MonitoringOperation>> {
  const { catalogue, documents } = context;
  let output: OutputOf<MonitoringOperation> = {};
  await catalogue.change(() => {
    const stream = locateActiveStream(context, input, { operation, caller });
    const current = new Set(enabledShardMetrics(documents, stream.uid));
    const named = namedMetrics(input.ShardLevelMetrics);
    const desired = SHARD_METRICS.filter((name) => isDesired(name, current, named));
    output = {
      StreamName: stream.name,
      StreamARN: streamArn(stream.name),
      CurrentShardLevelMetrics: [...current],
      DesiredShardLevelMetrics: desired,
    };
    if (desired.length === current.size) return [];
    return [
      enablingRecord(documents, stream.uid, desired),
      ...catalogue.transitions.beginning(stream.uid, "UPDATING"),
    ];
  });
  return output;
}

/** The metrics that a list names; ALL names every one. */
function namedMetrics(names: readonly string[]): Set<ShardMetricName> {
  return new Set(names.includes("ALL") ? SHARD_METRICS : names.filter(isShardMetric));
}
