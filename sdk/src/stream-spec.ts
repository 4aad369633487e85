/** What a stream is created with, as callers give it. */
import { type StreamDescription, type StreamSpec, StreamSpecMismatchError } from "@millrace/engine";
import { checkInteger, checkMembers, checkName, checkOneOf } from "./check.ts";

/** How a stream is to be; what is absent is not compared by `ensure`. */
export interface StreamOptions {
  /** Number of shards, 1 to 500; 1 when absent. A stream in mode ON_DEMAND begins with 4 and scales by itself. */
  readonly shards?: number;
  /** AWS's stream mode; "PROVISIONED" when absent. */
  readonly mode?: "PROVISIONED" | "ON_DEMAND";
  /** Retention period in hours, 24 to 8,760; 24 when absent. */
  readonly retentionHours?: number;
  /** Data and key of one record together in KiB, 1,024 to 10,240; 1,024 when absent. */
  readonly recordKibMax?: number;
}

const FIELDS = {
  shards: { min: 1, max: 500, usual: 1 },
  retentionHours: { min: 24, max: 8760, usual: 24 },
  recordKibMax: { min: 1024, max: 10_240, usual: 1024 },
} as const;

const FIELD_NAMES = ["shards", "retentionHours", "recordKibMax"] as const;

/** The whole specification. @throws InvalidArgumentError. */
export function completeSpec(name: string, options: StreamOptions): StreamSpec {
  checkName("name", name);
  checkMembers("spec", options, [...FIELD_NAMES, "mode"]);
  const { mode } = options;
  const value = (field: (typeof FIELD_NAMES)[number]): number => {
    const { min, max, usual } = FIELDS[field];
    return checkInteger(`spec.${field}`, options[field] ?? usual, min, max);
  };
  return {
    name,
    shards: value("shards"),
    retentionHours: value("retentionHours"),
    recordKibMax: value("recordKibMax"),
    mode: checkOneOf("spec.mode", mode ?? "PROVISIONED", ["PROVISIONED", "ON_DEMAND"]),
  };
}

/** @throws StreamSpecMismatchError when the stream differs in a field that the options name. */
export function compareSpec(found: StreamDescription, options: StreamOptions): void {
  const { mode = found.mode } = options;
  if (mode !== found.mode) {
    throw new StreamSpecMismatchError(
      `Stream ${found.name} exists with another specification: mode is ${found.mode}, not ${mode}.`,
      { argument: "mode", value: mode, limit: found.mode },
    );
  }
  for (const field of FIELD_NAMES) {
    const wanted = options[field];
    if (wanted === undefined || wanted === found[field]) continue;
    throw StreamSpecMismatchError.field(found.name, field, wanted, found[field]);
  }
}
