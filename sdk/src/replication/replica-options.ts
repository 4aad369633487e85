/** What an application says of a replica, checked. */
import type { GroupPosition } from "@millrace/engine";
import { checkMembers, checkName, checkSignal, refuse } from "../check.ts";
import type { GroupStart } from "../groups/group-types.ts";
import { checkReadOptions } from "../read-options.ts";
import type { RemoteStreamDescription } from "../remote/remote-description.ts";
import type { Stream } from "../stream.ts";
import { shortName } from "./far-side.ts";
import { checkNetwork, type NetworkWatch, platformNetwork } from "./network.ts";

/** Characters of a consumer group's name. */
const NAME_LENGTH_MAX = 128;

/** How a stream elsewhere is copied into a local one. */
export interface ReplicaOptions {
  /**
   * Names the replica: a consumer group of the local stream, which keeps where it stands. `replica-of-` with the
   * far stream's name when absent, where that is longer than 128 characters with its hash at the end instead. Whoever starts it again under its name, in this tab or another one, goes on where
   * it stands, whatever `from` says. A local stream has one replica of each stream elsewhere: another name is refused
   * until that group was deleted (`(await millrace.groups.get(name)).delete()`), and `stop()` alone does not give it
   * free. The next replica then copies from its own `from` on; what it copies again is there twice, and consumer
   * groups deliver it again: what they drop came by the same replica before.
   */
  readonly name?: string;
  /**
   * Where it begins the first time; `TRIM_HORIZON` when absent. `LATEST` is the far side's newest record; only
   * whoever goes on before another one came to a shard goes by this machine's clock there, and begins five minutes
   * before: that copies some more where the clocks agree, and leaves nothing out where this one is ahead.
   */
  readonly from?: GroupStart;
  /** Stops it here, without waiting for what is under way. */
  readonly signal?: AbortSignal;
  /** What is known of the network; the platform's own word when absent. */
  readonly network?: NetworkWatch;
}

/** {@link ReplicaOptions} with all defaults. */
export interface ReplicaSettings {
  readonly name: string;
  readonly from: GroupPosition;
  readonly signal: AbortSignal | undefined;
  readonly network: NetworkWatch;
}

/** @throws InvalidArgumentError. */
export function checkReplicaOptions(
  streamName: string,
  options: ReplicaOptions = {},
): ReplicaSettings {
  checkMembers("options", options, ["name", "from", "signal", "network"]);
  const { name = shortName(`replica-of-${streamName}`, NAME_LENGTH_MAX), from = "TRIM_HORIZON" } =
    options;
  const { network = platformNetwork } = options;
  const { position } = checkReadOptions({ from, until: "live" });
  if ("sequenceNumber" in position) {
    const limit = '"TRIM_HORIZON", "LATEST", a Date or {timestamp: Date}';
    refuse("options.from", limit, from, limit);
  }
  return {
    name: checkName("options.name", name),
    from: position,
    signal: checkSignal("options.signal", options.signal),
    network: checkNetwork("options.network", network),
  };
}

/**
 * @throws InvalidArgumentError unless the copy goes to a stream of an engine, and to another one than it comes
 * from: that would feed itself.
 */
export function checkLocal(
  local: Pick<Stream, "description">,
  remote: RemoteStreamDescription,
): void {
  const description: unknown = (local as Partial<Stream> | undefined)?.description;
  const isLocal = typeof description === "object" && description !== null && "uid" in description;
  if (!isLocal) refuse("local", "a stream of an engine", local, "a Stream of open()");
  const { arn, createdMs } = local.description;
  if (arn !== remote.arn || createdMs !== remote.createdMs) return;
  refuse("local", "another stream than the one that is copied", arn, "another stream");
}
