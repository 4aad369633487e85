/**
 * Where a replica stands in each shard of the stream elsewhere, and which stream that is: what is stored with
 * every epoch as the state of the lease that gives the right to run.
 */
import type { StateValue } from "../groups/group-types.ts";
import type { RemoteStreamDescription } from "../remote/remote-description.ts";

/** Which stream is copied: another one of the same name is another one. */
export type SourceIdentity = Pick<RemoteStreamDescription, "arn" | "createdMs">;

/**
 * How far a shard is copied: up to a record, to its end, or not begun. A shard that came of others begins at
 * SHARD_START: of that one, everything is to be copied.
 */
export type ReplicaPosition =
  | { readonly at: "TRIM_HORIZON" | "SHARD_START" | "SHARD_END" }
  | { readonly at: "AT_TIMESTAMP"; readonly timestampMs: number }
  | { readonly at: "SEQUENCE_NUMBER"; readonly sequenceNumber: string };

/** State by key, as it is stored. */
export type ReplicaState = Readonly<Record<string, StateValue>>;

/** The keys of what names the stream and of the run; every other one is the id of a shard. */
const SOURCE = "source";
/** See {@link ReplicaPositions.run}. */
export const REPLICA_RUN = "run";
const DECIMAL = /^\d+$/;

/** See above. Holds what is stored: it changes after the commit. */
export class ReplicaPositions {
  readonly source: SourceIdentity;
  #run: string | undefined;
  readonly #byId = new Map<string, ReplicaPosition>();

  constructor(source: SourceIdentity) {
    this.source = source;
  }

  /** What was stored; undefined where nothing was. */
  static of(state: ReplicaState): ReplicaPositions | undefined {
    const source = state[SOURCE];
    if (!isRecord(source)) return undefined;
    const positions = new ReplicaPositions({
      arn: String(source["arn"]),
      createdMs: Number(source["createdMs"]),
    });
    positions.apply(state);
    return positions;
  }

  /** All that is to be stored so that {@link of} finds it again. */
  get state(): ReplicaState {
    const { arn, createdMs } = this.source;
    const entries = [...this.#byId].map(([shardId, position]) => [shardId, storedAs(position)]);
    const run = this.#run === undefined ? {} : { [REPLICA_RUN]: this.#run };
    return { [SOURCE]: { arn, createdMs }, ...run, ...Object.fromEntries(entries) };
  }

  /**
   * Names what was copied without leaving anything out, in 16 hexadecimal digits: marks of copied records hold within
   * it. Undefined while none is stored.
   */
  get run(): string | undefined {
    return this.#run;
  }

  /** Ids of the shards that it knows. */
  get shardIds(): readonly string[] {
    return [...this.#byId.keys()];
  }

  /** Where a shard's copy stands; undefined for one that nobody has heard of. */
  get(shardId: string): ReplicaPosition | undefined {
    return this.#byId.get(shardId);
  }

  /** Whether all of a shard is copied. */
  hasEnded(shardId: string): boolean {
    return this.#byId.get(shardId)?.at === "SHARD_END";
  }

  /** Takes over what was stored. */
  apply(state: ReplicaState): void {
    for (const [key, value] of Object.entries(state)) {
      if (key === SOURCE) continue;
      if (key === REPLICA_RUN) this.#run = String(value);
      else if (value === null) this.#byId.delete(key);
      else this.#byId.set(key, positionOf(value));
    }
  }
}

/** A stream elsewhere as text, the same for one stream only. */
export function textOfSource({ arn, createdMs }: SourceIdentity): string {
  return `${arn}, created at ${new Date(createdMs).toISOString()}`;
}

/** A position as it is stored. */
export function storedAs(position: ReplicaPosition): StateValue {
  if (position.at === "SEQUENCE_NUMBER") return position.sequenceNumber;
  return position.at === "AT_TIMESTAMP" ? { timestampMs: position.timestampMs } : position.at;
}

/** The same the other way. */
function positionOf(value: StateValue): ReplicaPosition {
  if (isRecord(value)) return { at: "AT_TIMESTAMP", timestampMs: Number(value["timestampMs"]) };
  if (value === "SHARD_START" || value === "SHARD_END") return { at: value };
  const isNumber = typeof value === "string" && DECIMAL.test(value);
  return isNumber ? { at: "SEQUENCE_NUMBER", sequenceNumber: value } : { at: "TRIM_HORIZON" };
}

function isRecord(value: StateValue | undefined): value is Readonly<Record<string, StateValue>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
