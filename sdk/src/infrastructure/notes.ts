/** What an engine has and AWS, or its infrastructure code, has not: each of it is told in a sentence or two. */
import type {
  DataLossReport,
  GroupDefinition,
  Inventory,
  JobStatus,
  MasterKeyDescription,
  ShardDescription,
  StreamInventory,
} from "@millrace/engine";

/** Number of hash keys: 2^128. */
const RING = 1n << 128n;
/** Shards that AWS gives a new on-demand stream. */
const ON_DEMAND_SHARDS = 4;

/** What is told of an engine as a whole. */
export interface EngineFacts {
  readonly inventory: Inventory;
  readonly groups: readonly GroupDefinition[];
  readonly jobs: readonly JobStatus[];
  readonly keys: readonly MasterKeyDescription[];
  readonly losses: readonly DataLossReport[];
}

/** What of a stream itself has no counterpart. */
export function streamNotes({ stream, warmMibps, channelNames }: StreamInventory): string[] {
  const { durability, whenFull, distribution, encryption, mode } = stream;
  const notes: string[] = [];
  if (durability === "relaxed") {
    notes.push('durability "relaxed" has no counterpart: AWS stores every record in three zones.');
  }
  if (whenFull === "drop-oldest") {
    notes.push(
      'whenFull "drop-oldest" has no counterpart: AWS keeps records for as long as retention says.',
    );
  }
  if (distribution === "AUTO") {
    notes.push(
      "record distribution AUTO is not exported: call UpdateStreamRecordDistributionStrategy.",
    );
  }
  if (warmMibps > 0) {
    notes.push("warm throughput needs an account with On-demand Advantage.");
  }
  if (encryption?.shredded === true) {
    notes.push(
      "its data key was destroyed here; at AWS the stream begins with the key it is given.",
    );
  }
  if (mode === "ON_DEMAND" && stream.shards !== ON_DEMAND_SHARDS) {
    notes.push(
      `it has ${stream.shards} open shards; at AWS an on-demand stream begins with ${ON_DEMAND_SHARDS}.`,
    );
  }
  if (mode === "PROVISIONED" && !areUniform(stream.openShards)) {
    notes.push(unevenNote(stream.openShards));
  }
  if (channelNames.length > 0) {
    notes.push(
      `channels are not exported, since they need roles and buckets: ${channelNames.join(", ")}.`,
    );
  }
  return notes;
}

/** Whether the shards have the ranges that CreateStream gives as many, but for what divisions leave over. */
function areUniform(openShards: readonly ShardDescription[]): boolean {
  const count = BigInt(openShards.length);
  return openShards.every(({ startingHashKey }, i) => {
    const difference = BigInt(startingHashKey) - (BigInt(i) * RING) / count;
    return -count <= difference && difference <= count;
  });
}

/** Ranges stand in full, so that SplitShard and MergeShards can make them again. */
function unevenNote(openShards: readonly ShardDescription[]): string {
  const ranges = openShards.map(
    ({ startingHashKey, endingHashKey }) => `${startingHashKey} to ${endingHashKey}`,
  );
  return (
    `its ${openShards.length} shards have hash ranges of different sizes, and AWS makes equal ones; ` +
    `here they are ${ranges.join(", ")}.`
  );
}

/** What of the engine as a whole has no counterpart. */
export function engineNotes(facts: EngineFacts): string[] {
  const { inventory, groups, jobs } = facts;
  const notes = [
    "records, sequence numbers and checkpoints stay in the engine: the streams begin empty.",
    "AWS enforces its quotas, of shards per account and region, too, whatever the engine enforced.",
  ];
  for (const { name, streamName } of groups) {
    notes.push(
      `consumer group ${name} of stream ${streamName} is not exported: the KCL makes its DynamoDB tables ` +
        "by itself, and begins without the group's checkpoints.",
    );
  }
  for (const { spec } of jobs) {
    notes.push(`job ${spec.name} is not exported: it runs in pages, AWS has Lambda for that.`);
  }
  if (inventory.trailStreamName !== null) {
    notes.push(
      `the call trail into stream ${inventory.trailStreamName} is not exported: AWS has CloudTrail for that.`,
    );
  }
  if (inventory.advantage) {
    notes.push(
      "On-demand Advantage is a setting of the account, and is not exported: call UpdateAccountSettings.",
    );
  }
  if (inventory.virtualMs !== null) {
    const then = new Date(inventory.virtualMs).toISOString();
    notes.push(`virtual time, which stood at ${then}, has no counterpart.`);
  }
  return [...notes, ...goingNotes(inventory), ...keyNotes(facts), ...lossNotes(facts)];
}

/** Streams and consumers that are on their way out are left out. */
function goingNotes({ streams }: Inventory): string[] {
  return streams.flatMap(({ stream, consumers }) => {
    if (stream.status === "DELETING") {
      return [`stream ${stream.name} is not exported: it is being deleted.`];
    }
    return consumers
      .filter(({ status }) => status === "DELETING")
      .map(
        ({ name }) =>
          `consumer ${name} of stream ${stream.name} is not exported: it is being deregistered.`,
      );
  });
}

/** Keys stay in the vault; KMS's keys are made by others than those who make streams. */
function keyNotes({ keys }: EngineFacts): string[] {
  return keys
    .filter(({ managed }) => !managed)
    .map(({ keyId, alias, policy, state }) => {
      const also = policy === null ? "" : " and its policy";
      const how = state === "Enabled" ? "" : ` (${state.toLowerCase()})`;
      return `master key ${alias ?? keyId}${how}${also} is not exported: name a key of KMS in its place.`;
    });
}

/** Keys are not read for an export, so that a missing one is no loss here. */
function lossNotes({ losses }: EngineFacts): string[] {
  return losses
    .filter(({ kind }) => kind !== "key")
    .map(
      ({ where, reason }) =>
        `the store is damaged, and something may be missing: ${where}: ${reason}`,
    );
}
