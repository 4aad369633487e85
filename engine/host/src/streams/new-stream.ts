/** New streams: from what a stream is created with to its definition. */
import { InvalidArgumentError, ValidationError } from "../errors/index.ts";
import type { StreamDefinition, WriteCapacity } from "../log/control-records.ts";
import type { ControlState } from "../log/control-state.ts";
import { ON_DEMAND_CAPACITY_MIN, shardsNeeded, warmCapacity } from "./capacity.ts";
import { uniformRanges } from "./hash-ranges.ts";
import type {
  RecordDistribution,
  StreamDurability,
  StreamFullPolicy,
  StreamKeeping,
  StreamMode,
  StreamSpec,
} from "./stream-types.ts";

/** What a stream is created with, the members that the application's own calls do not have included. */
export interface NewStream extends StreamSpec {
  /** Throughput in MiB per second that an on-demand stream begins with when it is above the usual (AWS: WarmThroughputMiBps). */
  readonly warmMibps?: number;
}

const MODES: readonly string[] = ["PROVISIONED", "ON_DEMAND"] satisfies StreamMode[];
const DISTRIBUTIONS: readonly string[] = [
  "USER_PARTITION_KEY",
  "AUTO",
] satisfies RecordDistribution[];
const DURABILITIES: readonly string[] = ["strict", "relaxed"] satisfies StreamDurability[];
const FULL_POLICIES: readonly string[] = ["refuse-new", "drop-oldest"] satisfies StreamFullPolicy[];

/**
 * The definition of a new stream, as the control state stands.
 * @throws InvalidArgumentError for a mode or another choice that there is not, ValidationError for AUTO
 * without on-demand mode.
 */
export function defineStream(
  control: ControlState,
  spec: NewStream,
  createdMs: number,
): StreamDefinition {
  // A name's creation seconds increase strictly, so that a stream that is deleted and created
  // again never gives out a sequence number twice.
  const createdSeconds = Math.max(
    Math.floor(createdMs / 1000),
    control.lastCreatedSeconds(spec.name) + 1,
  );
  const { mode = "PROVISIONED", distribution = "USER_PARTITION_KEY" } = spec;
  const { durability = "strict", whenFull = "refuse-new" } = checkKeeping(spec);
  checkMember("mode", mode, MODES);
  checkMember("distribution", distribution, DISTRIBUTIONS);
  if (mode === "PROVISIONED" && distribution === "AUTO") {
    throw new ValidationError(
      "RecordDistributionStrategy AUTO is only supported for streams in ON_DEMAND mode.",
      { argument: "RecordDistributionStrategy", value: distribution },
    );
  }
  const writeCapacity = mode === "ON_DEMAND" ? firstCapacity(spec.warmMibps ?? 0) : null;
  const ranges = uniformRanges(writeCapacity === null ? spec.shards : shardsNeeded(writeCapacity));
  return {
    uid: control.nextStreamUid,
    name: spec.name,
    createdMs,
    retentionHours: spec.retentionHours,
    recordKibMax: spec.recordKibMax,
    mode,
    distribution,
    writeCapacity,
    durability,
    whenFull,
    nextShardIndex: ranges.length,
    shards: ranges.map((range, shardIndex) => ({
      uid: control.nextShardUid + shardIndex,
      shardIndex,
      createdSeconds,
      ...range,
    })),
  };
}

/** The settings, which may have come from anywhere. @throws InvalidArgumentError. */
export function checkKeeping({ durability, whenFull }: StreamKeeping): StreamKeeping {
  if (durability !== undefined) checkMember("durability", durability, DURABILITIES);
  if (whenFull !== undefined) checkMember("whenFull", whenFull, FULL_POLICIES);
  return { durability, whenFull };
}

/** Refuses what a type says but a caller in JavaScript need not heed. @throws InvalidArgumentError. */
function checkMember(argument: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  throw new InvalidArgumentError(`${argument} must be one of ${known.join(", ")}: ${value}.`, {
    argument,
    value,
    limit: known.join(", "),
  });
}

/** Write capacity that an on-demand stream begins with. */
function firstCapacity(warmMibps: number): WriteCapacity {
  const warm = warmCapacity(warmMibps);
  const { recordsPerSecond, bytesPerSecond } = ON_DEMAND_CAPACITY_MIN;
  return {
    recordsPerSecond: Math.max(recordsPerSecond, warm.recordsPerSecond),
    bytesPerSecond: Math.max(bytesPerSecond, warm.bytesPerSecond),
  };
}
