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
  /**
   * When a put is done; "strict" when absent: then it survives even a power cut. "relaxed" puts are faster,
   * and survive the end of the tab, of the browser and of its processes; when the system crashes or loses
   * power the last moments of such a stream may be lost, and never more than those.
   */
  readonly durability?: "strict" | "relaxed";
  /**
   * What happens when the engine's storage is full; "refuse-new" when absent: puts fail with StoreFullError
   * until there is room. A stream that says "drop-oldest" loses its oldest records instead, before their
   * retention ends, to make room for itself and all others; the event "records-dropped" tells which.
   */
  readonly whenFull?: "refuse-new" | "drop-oldest";
}

/** How a stream is to be kept from now on; what is absent stays as it is. */
export type StreamKeeping = Pick<StreamOptions, "durability" | "whenFull">;

const FIELDS = {
  shards: { min: 1, max: 500, usual: 1 },
  retentionHours: { min: 24, max: 8760, usual: 24 },
  recordKibMax: { min: 1024, max: 10_240, usual: 1024 },
} as const;

const CHOICES = {
  mode: ["PROVISIONED", "ON_DEMAND"],
  durability: ["strict", "relaxed"],
  whenFull: ["refuse-new", "drop-oldest"],
} as const;

const FIELD_NAMES = ["shards", "retentionHours", "recordKibMax"] as const;

/** A specification without gaps. */
export type CompleteSpec = Required<Omit<StreamSpec, "distribution">>;

/** The whole specification. @throws InvalidArgumentError. */
export function completeSpec(name: string, options: StreamOptions): CompleteSpec {
  checkName("name", name);
  checkMembers("spec", options, [...FIELD_NAMES, ...Object.keys(CHOICES)]);
  const { mode = "PROVISIONED", durability = "strict", whenFull = "refuse-new" } = options;
  const value = (field: (typeof FIELD_NAMES)[number]): number => {
    const { min, max, usual } = FIELDS[field];
    return checkInteger(`spec.${field}`, options[field] ?? usual, min, max);
  };
  return {
    name,
    shards: value("shards"),
    retentionHours: value("retentionHours"),
    recordKibMax: value("recordKibMax"),
    mode: checkOneOf("spec.mode", mode, CHOICES.mode),
    durability: checkOneOf("spec.durability", durability, CHOICES.durability),
    whenFull: checkOneOf("spec.whenFull", whenFull, CHOICES.whenFull),
  };
}

/** The settings as they are sent. @throws InvalidArgumentError. */
export function checkKeeping(options: StreamKeeping): StreamKeeping {
  checkMembers("settings", options, ["durability", "whenFull"]);
  const { durability, whenFull } = options;
  return {
    ...(durability === undefined
      ? {}
      : { durability: checkOneOf("settings.durability", durability, CHOICES.durability) }),
    ...(whenFull === undefined
      ? {}
      : { whenFull: checkOneOf("settings.whenFull", whenFull, CHOICES.whenFull) }),
  };
}

/** @throws StreamSpecMismatchError when the stream differs in a field that the options name. */
export function compareSpec(found: Omit<StreamDescription, "uid">, options: StreamOptions): void {
  for (const member of ["mode", "durability", "whenFull"] as const) {
    const there = found[member];
    const wanted = options[member] ?? there;
    if (wanted === there) continue;
    throw new StreamSpecMismatchError(
      `Stream ${found.name} exists with another specification: ${member} is ${there}, not ${wanted}.`,
      { argument: member, value: wanted, limit: there },
    );
  }
  for (const field of FIELD_NAMES) {
    const wanted = options[field];
    if (wanted === undefined || wanted === found[field]) continue;
    throw StreamSpecMismatchError.field(found.name, field, wanted, found[field]);
  }
}
