/** How a stream is shipped to a stream elsewhere, checked and complete. */
import { checkBoolean, checkInteger, checkMembers, checkName, refuse } from "../check.ts";
import type { GroupStart } from "../groups/group-types.ts";
import type { PutTarget } from "../producer/put-target.ts";
import { nameFor } from "./far-side.ts";
import { checkNetwork, type NetworkWatch, platformNetwork } from "./network.ts";

/** How `stream.replicateTo()` ships. */
export interface ReplicateOptions {
  /**
   * Name of the consumer group that keeps the progress; when absent `replicate-<name of the far stream>-<hash of its
   * place and ARN>`. Whoever replicates under the same name, in this tab or another one, shares the work and goes on
   * after a crash. The progress is that of one far stream: another one under the same name, as one that was deleted
   * and made again, is refused with a ResourceInUseError. One that is deleted and made again while it runs pauses it
   * with a ResourceNotFoundError. Where a stream's address changes, give a name.
   */
  readonly name?: string;
  /** Where it begins the first time; "TRIM_HORIZON" when absent. */
  readonly from?: GroupStart;
  /**
   * Records go as aggregates in the KPL's format, each with a mark by which consumer groups of this package drop
   * what was sent twice; true when absent. A record that leaves no room for its mark, about 150 bytes, within the far
   * side's limit of a record pauses it with RecordTooLargeError. False: as plain records without marks, so that such
   * repeats are seen.
   */
  readonly aggregate?: boolean;
  /** Bytes of data and keys that are sent per second, 1,024 or more; as many as go when absent. */
  readonly bytesPerSecondMax?: number;
  /**
   * An "expiring" event is told so long before retention would drop what was not sent, in ms; an hour when absent. It is
   * looked at every 2 s, so that less time may pass unseen.
   */
  readonly warnBeforeMs?: number;
  /**
   * Raises the stream's retention, up to 8,760 hours, an hour or `warnBeforeMs` before it would drop what was not sent,
   * and puts it back when all is sent, unless somebody has set another one meanwhile; false when absent. The stream
   * bears the tags `millrace.hold.<name>` and `millrace.held` meanwhile.
   */
  readonly hold?: boolean;
  /** Sends what it can of the rest when the page ends, up to 64 KiB; true when absent. Only with `aggregate`. */
  readonly atPageEnd?: boolean;
  /** What is known of the network, for whoever knows more than the platform, whose word counts when absent. */
  readonly network?: NetworkWatch;
}

/** {@link ReplicateOptions} with all defaults. */
export interface ReplicateSettings {
  readonly name: string;
  readonly from: GroupStart;
  readonly aggregate: boolean;
  readonly bytesPerSecondMax: number | undefined;
  readonly warnBeforeMs: number;
  readonly hold: boolean;
  readonly atPageEnd: boolean;
  readonly network: NetworkWatch;
}

/** The far side: a stream of `millrace/remote`, or whatever else can be put into. */
export interface ReplicationRemote {
  readonly name: string;
  target(): PutTarget;
}

const MEMBERS = [
  "name",
  "from",
  "aggregate",
  "bytesPerSecondMax",
  "warnBeforeMs",
  "hold",
  "atPageEnd",
  "network",
];
const BYTES_PER_SECOND_MIN = 1024;
const HOUR_MS = 3_600_000;
const WARN_MS_MAX = 8760 * HOUR_MS;
const NAME_LENGTH_MAX = 128;

/** @throws InvalidArgumentError. */
export function checkReplicateOptions(
  remote: ReplicationRemote,
  options: ReplicateOptions = {},
): ReplicateSettings {
  if (typeof remote !== "object" || remote === null || typeof remote.target !== "function") {
    refuse("remote", "a stream of millrace/remote", remote, "a RemoteStream");
  }
  checkMembers("options", options, MEMBERS);
  const { bytesPerSecondMax, warnBeforeMs = HOUR_MS, aggregate = true, hold = false } = options;
  const { from = "TRIM_HORIZON", atPageEnd = true, network = platformNetwork } = options;
  const name =
    options.name ?? nameFor(`replicate-${remote.name}`, remote.target(), NAME_LENGTH_MAX);
  return {
    name: checkName("options.name", name),
    from,
    aggregate: checkBoolean("options.aggregate", aggregate),
    bytesPerSecondMax:
      bytesPerSecondMax === undefined
        ? undefined
        : checkInteger(
            "options.bytesPerSecondMax",
            bytesPerSecondMax,
            BYTES_PER_SECOND_MIN,
            Number.MAX_SAFE_INTEGER,
          ),
    warnBeforeMs: checkInteger("options.warnBeforeMs", warnBeforeMs, 0, WARN_MS_MAX),
    hold: checkBoolean("options.hold", hold),
    atPageEnd: checkBoolean("options.atPageEnd", atPageEnd),
    network: checkNetwork("options.network", network),
  };
}
