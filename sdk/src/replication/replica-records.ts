/**
 * Records of a stream elsewhere as records of the local one, cut into epochs: the same bytes, but for marks, which
 * hold within the run of copying from there on.
 */
import type { RecordBatch } from "@millrace/engine";
import { formatHashKey, hashKeyOf } from "../aggregation/hash-key.ts";
import {
  type AggregateMember,
  decodeAggregate,
  encodeAggregate,
  hasAggregateMagic,
} from "../aggregation/index.ts";
import type { OutputRecord } from "../groups/group-types.ts";
import { joinRun } from "./mark.ts";

/** An epoch is full when its records have so many bytes; the engine takes 8 MiB, or one record. */
const EPOCH_BYTES_FULL = 4_194_304;
/** About what a record takes besides its data and key, in bytes. */
const RECORD_BYTES = 64;

/** What one epoch copies. */
export interface ReplicaPart {
  readonly outputs: readonly OutputRecord[];
  /** Bytes of data. */
  readonly dataBytes: number;
  /** Of the last record. */
  readonly sequenceNumber: string;
}

/** What a copy is made with. */
export interface CopySettings {
  /** The local stream. */
  readonly streamName: string;
  /** The run of copying. */
  readonly run: string;
}

/** Cuts a batch, from one of its records on, into what epochs can hold. */
export function* replicaPartsOf(
  batch: RecordBatch,
  first: number,
  settings: CopySettings,
): Generator<ReplicaPart> {
  let outputs: OutputRecord[] = [];
  let dataBytes = 0;
  let epochBytes = 0;
  for (let i = first; i < batch.length; i++) {
    const output = outputOf(batch, i, settings);
    const bytes = batch.data(i).byteLength;
    outputs.push(output);
    dataBytes += bytes;
    epochBytes += bytes + output.partitionKey.length + RECORD_BYTES;
    const next = i + 1 < batch.length ? batch.data(i + 1).byteLength : undefined;
    if (next !== undefined && epochBytes + next < EPOCH_BYTES_FULL) continue;
    yield { outputs, dataBytes, sequenceNumber: batch.sequenceNumber(i) };
    outputs = [];
    dataBytes = 0;
    epochBytes = 0;
  }
}

/**
 * The copy of one record. A service does not tell with which explicit hash key a record was put, so it goes to
 * the shard of its partition key; an aggregate goes to that of its first member, since readers leave out members
 * that are in another key's shard.
 */
function outputOf(batch: RecordBatch, i: number, { streamName, run }: CopySettings): OutputRecord {
  const partitionKey = batch.partitionKey(i);
  const data = batch.data(i);
  const members = hasAggregateMagic(data) ? decodeAggregate(data) : undefined;
  const [leader] = members ?? [];
  if (members === undefined || leader === undefined) return { streamName, partitionKey, data };
  const joined = joinRun(members, run);
  return {
    ...{ streamName, partitionKey, explicitHashKey: hashKeyOfMember(leader) },
    data: joined === undefined ? data : encodeAggregate(joined),
  };
}

function hashKeyOfMember({ explicitHashKey, partitionKey }: AggregateMember): string {
  return explicitHashKey ?? formatHashKey(hashKeyOf(partitionKey));
}
