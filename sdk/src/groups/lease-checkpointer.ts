/** What a processor checkpoints with: knows the records that it may name, and which one it means when it names none. */
import { InvalidArgumentError, type LeaseCheckpoint, parseSequenceNumber } from "@millrace/engine";
import { checkBoolean, checkInteger, checkMembers, refuse } from "../check.ts";
import { REPEATS_STATE_PREFIX } from "../replication/repeat-filter.ts";
import type { EpochCommitter } from "./epoch-committer.ts";
import type { Checkpointer, CheckpointWith, OutputRecord } from "./group-types.ts";
import {
  comparePositions,
  type HeldLease,
  indexInEngine,
  type RecordPosition,
} from "./held-lease.ts";

const SHARD_ID = /^shardId-\d{12}$/;
const MEMBERS = ["at", "outputs", "newestShards", "state", "childState", "shardEnd"] as const;
const SHARD_END: LeaseCheckpoint = { at: "SHARD_END" };

/** See {@link Checkpointer}. */
export class LeaseCheckpointer implements Checkpointer {
  readonly #committer: EpochCommitter;
  readonly #lease: HeldLease;
  readonly #standing: () => LeaseCheckpoint;

  /** `standing` gives what is checkpointed when no record is named. */
  constructor(committer: EpochCommitter, lease: HeldLease, standing: () => LeaseCheckpoint) {
    this.#committer = committer;
    this.#lease = lease;
    this.#standing = standing;
  }

  async checkpoint(what: CheckpointWith = {}): Promise<void> {
    checkMembers("what", what, MEMBERS);
    const { at, outputs, newestShards, state, childState, shardEnd = false } = what;
    const lease = this.#lease;
    checkOutputs(outputs);
    checkNewestShards(newestShards);
    checkState("what.state", state);
    checkChildState(childState);
    checkBoolean("what.shardEnd", shardEnd);
    if (shardEnd && at !== undefined) refuse("what.at", "absent at the shard's end", at, "absent");
    const position = at === undefined ? undefined : positionOf(at, lease);
    lease.requireHeld();
    // Without a record it is what stands when the epochs before it are committed.
    const checkpoint = shardEnd ? SHARD_END : (position ?? this.#standing);
    await this.#committer.commit(
      { lease, checkpoint },
      { outputs, newestShards, state, childState },
    );
  }
}

function checkOutputs(outputs: readonly OutputRecord[] | undefined): void {
  if (outputs === undefined || Array.isArray(outputs)) return;
  refuse("what.outputs", "an array", outputs, "an array of {streamName, partitionKey, data}");
}

function checkNewestShards(newestShards: CheckpointWith["newestShards"]): void {
  if (newestShards === undefined) return;
  checkMembers("what.newestShards", newestShards, Object.keys(newestShards ?? {}));
  for (const [name, shardIndex] of Object.entries(newestShards)) {
    checkInteger(`what.newestShards.${name}`, shardIndex, 0, 2 ** 31 - 1);
  }
}

function checkState(argument: string, state: CheckpointWith["state"]): void {
  if (state === undefined) return;
  if (typeof state !== "object" || state === null || Array.isArray(state)) {
    refuse(argument, "an object of JSON values", state, "an object");
  }
  const reserved = Object.keys(state).find((key) => key.startsWith(REPEATS_STATE_PREFIX));
  if (reserved === undefined) return;
  refuse(argument, `without keys that begin with ${REPEATS_STATE_PREFIX}`, reserved, "other keys");
}

function checkChildState(childState: CheckpointWith["childState"]): void {
  checkState("what.childState", childState);
  for (const [shardId, state] of Object.entries(childState ?? {})) {
    if (!SHARD_ID.test(shardId))
      refuse("what.childState", "by shard id", shardId, String(SHARD_ID));
    checkState(`what.childState.${shardId}`, state);
  }
}

/** The position that a record of the lease's shard has. @throws InvalidArgumentError. */
function positionOf(at: NonNullable<CheckpointWith["at"]>, lease: HeldLease): RecordPosition {
  const { sequenceNumber, subSequenceNumber } = at;
  if (typeof sequenceNumber !== "string") {
    refuse("what.at.sequenceNumber", "a sequence number", sequenceNumber, "56 decimal digits");
  }
  const { shardId, delivered, processed } = lease;
  const index = lease.indexOf(sequenceNumber);
  // Elsewhere only what was read has an index.
  const ofEngine = lease.indexOf === indexInEngine;
  const { shardIndex } = ofEngine ? parseSequenceNumber(sequenceNumber) : lease;
  if (shardIndex !== lease.shardIndex) {
    throw refused(at, `a record of ${shardId}, and that one is of shard ${shardIndex}`, shardId);
  }
  const sub = checkInteger(
    "what.at.subSequenceNumber",
    subSequenceNumber,
    0,
    Number.MAX_SAFE_INTEGER,
  );
  const position = { index, subSequenceNumber: sub };
  if (delivered === undefined || comparePositions(position, delivered) > 0) {
    throw refused(at, "a record that was delivered", "the last delivered one");
  }
  if (processed !== undefined && comparePositions(position, processed) < 0) {
    throw refused(at, "the last checkpoint or after it", "the last checkpoint");
  }
  return position;
}

function refused(
  { sequenceNumber, subSequenceNumber }: NonNullable<CheckpointWith["at"]>,
  must: string,
  limit: string,
): InvalidArgumentError {
  const value = `${sequenceNumber}/${subSequenceNumber}`;
  return new InvalidArgumentError(`what.at must be ${must}: ${value}`, {
    ...{ argument: "what.at", value, limit },
  });
}
