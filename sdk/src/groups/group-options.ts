/** What is said of a group, checked: where it begins, and how it is set back. */
import type { GroupPosition } from "@millrace/engine";
import { checkBoolean, checkInteger, checkMembers, refuse } from "../check.ts";
import { checkReadOptions, type ReadFrom } from "../read-options.ts";

const FAILOVER_MS_MIN = 500;
const HOUR_MS = 3_600_000;

/** Which leases are set back, and whether their owners are asked. */
export interface ResetOptions {
  /** Only this shard, as in `shardId-000000000000`. */
  readonly shardId?: string;
  /** Takes the leases from the workers that own them. */
  readonly force?: boolean;
}

/** {@link ResetOptions} that were checked. */
export interface ResetSettings {
  readonly shardId: string | undefined;
  readonly force: boolean;
}

/** @throws InvalidArgumentError. */
export function checkResetOptions(options: ResetOptions): ResetSettings {
  checkMembers("options", options, ["shardId", "force"]);
  const { shardId, force = false } = options;
  if (shardId !== undefined && typeof shardId !== "string") {
    refuse("options.shardId", "a shard id", shardId, "shardId-000000000000");
  }
  return { shardId, force: checkBoolean("options.force", force) };
}

/** A span of a group's in ms. @throws InvalidArgumentError. */
export function checkSpan(member: "failoverMs" | "handOverMs", ms: number): number {
  const min = member === "failoverMs" ? FAILOVER_MS_MIN : 0;
  return checkInteger(`options.${member}`, ms, min, HOUR_MS);
}

/** Where a group begins, in the engine's words. @throws InvalidArgumentError. */
export function toGroupPosition(from: ReadFrom): GroupPosition {
  const { position } = checkReadOptions({ from, until: "live" });
  if (position.type === "TRIM_HORIZON" || position.type === "LATEST") return position;
  if (position.type === "AT_TIMESTAMP") return position;
  const limit = '"TRIM_HORIZON", "LATEST", a Date or {timestamp: Date}';
  return refuse("from", limit, from, limit);
}
