/**
 * Records of a stream elsewhere as records of the local one, cut into epochs: the same bytes, but for marks, which
 * hold within the run of copying from there on, and for aggregates that have members of several shards of the copy.
 */
import type { RecordBatch } from "@millrace/engine";
import {
  formatHashKey,
  type HashKey,
  type HashKeyRange,
  rangeHolds,
} from "../aggregation/hash-key.ts";
import {
  type AggregateMember,
  decodeAggregate,
  encodeAggregate,
  hasAggregateMagic,
} from "../aggregation/index.ts";
import { utf8Bytes } from "../aggregation/protobuf-writer.ts";
import type { OutputRecord } from "../groups/group-types.ts";
import { cutAggregate, type RoutedPart } from "./aggregate-cut.ts";
import { type CopyBorders, routeOfMember } from "./copy-borders.ts";
import { joinRun } from "./mark.ts";

/** An epoch is full when its records have so many bytes; the engine takes 8 MiB, or one record. */
const EPOCH_BYTES_FULL = 4_194_304;
/** Most bytes of an epoch, which the pieces of an aggregate have to come in together. */
const EPOCH_BYTES_MAX = 8_000_000;
/** About what a record takes besides its data and key, in bytes. */
const RECORD_BYTES = 64;

/** What one epoch copies. */
export interface ReplicaPart {
  readonly outputs: readonly OutputRecord[];
  /** Records of the source, and the bytes of their data. */
  readonly records: number;
  readonly dataBytes: number;
  /** Sequence numbers of aggregates that were to be cut and are too large for that: readers leave them out. */
  readonly lost: readonly string[];
  /** Position behind the last record. */
  readonly end: number;
}

/** What a copy is made with. */
export interface CopySettings {
  /** The local stream. */
  readonly streamName: string;
  /** The run of copying. */
  readonly run: string;
  /** Hash keys of the source's shard. */
  readonly source: HashKeyRange;
  readonly borders: CopyBorders;
}

/** What becomes of one record. */
interface RecordCopies {
  readonly outputs: readonly OutputRecord[];
  /** Whether readers get all that is in it. */
  readonly whole: boolean;
}

/** Cuts a batch, from one of its records on, into what epochs can hold. */
export function* replicaPartsOf(
  batch: RecordBatch,
  first: number,
  settings: CopySettings,
): Generator<ReplicaPart> {
  let outputs: OutputRecord[] = [];
  let lost: string[] = [];
  let records = 0;
  let dataBytes = 0;
  let epochBytes = 0;
  for (let i = first; i < batch.length; i++) {
    const copies = outputsOf(batch, i, settings);
    const bytes = sumOfBytes(copies.outputs);
    if (records > 0 && epochBytes + bytes > EPOCH_BYTES_MAX) {
      yield { outputs, records, dataBytes, lost, end: i };
      [outputs, lost] = [[], []];
      [records, dataBytes, epochBytes] = [0, 0, 0];
    }
    outputs.push(...copies.outputs);
    records += 1;
    dataBytes += batch.data(i).byteLength;
    if (!copies.whole) lost.push(batch.sequenceNumber(i));
    epochBytes += bytes;
    const next = i + 1 < batch.length ? batch.data(i + 1).byteLength : undefined;
    if (next !== undefined && epochBytes + next < EPOCH_BYTES_FULL) continue;
    yield { outputs, records, dataBytes, lost, end: i + 1 };
    [outputs, lost] = [[], []];
    [records, dataBytes, epochBytes] = [0, 0, 0];
  }
}

/**
 * The copies of one record. A service does not tell with which explicit hash key a record was put, so it goes to
 * the shard of its partition key. An aggregate goes to that of its members: readers leave out one that has members of
 * another shard. So does it stay as it is where the readers of the source leave it out.
 */
function outputsOf(
  batch: RecordBatch,
  i: number,
  { streamName, run, source, borders }: CopySettings,
): RecordCopies {
  const partitionKey = batch.partitionKey(i);
  const data = batch.data(i);
  const members = hasAggregateMagic(data) ? decodeAggregate(data) : undefined;
  const [leader] = members ?? [];
  if (members === undefined || leader === undefined) {
    return { outputs: [{ streamName, partitionKey, data }], whole: true };
  }
  const joined = joinRun(members, run);
  const outputAt = (hashKey: HashKey, bytes: Uint8Array): OutputRecord => ({
    ...{ streamName, partitionKey, explicitHashKey: formatHashKey(hashKey), data: bytes },
  });
  const asItIs = (): readonly OutputRecord[] => [
    outputAt(routeOfMember(leader), joined === undefined ? data : encodeAggregate(joined)),
  ];
  const parts = borders.none ? [] : partsToCut(joined ?? members, source, borders);
  if (parts.length === 0) return { outputs: asItIs(), whole: true };
  const pieces = cutAggregate(parts, data.byteLength);
  const outputs = pieces.map(({ hashKey, data: bytes }) => outputAt(hashKey, bytes));
  const isTooLarge = sumOfBytes(outputs) > EPOCH_BYTES_MAX;
  return isTooLarge ? { outputs: asItIs(), whole: false } : { outputs, whole: true };
}

/** Members of several shards of the copy; none where an aggregate is not to be cut. */
function partsToCut(
  members: readonly AggregateMember[],
  source: HashKeyRange,
  borders: CopyBorders,
): readonly RoutedPart[] {
  const parts = members.map((member) => {
    const hashKey = routeOfMember(member);
    return { member, hashKey, place: borders.placeOf(hashKey) };
  });
  const [first] = parts;
  if (parts.every(({ place }) => place === first?.place)) return [];
  return parts.every(({ hashKey }) => rangeHolds(source, hashKey)) ? parts : [];
}

function sumOfBytes(outputs: readonly OutputRecord[]): number {
  return outputs.reduce((sum, { partitionKey, data }) => {
    const dataBytes = typeof data === "string" ? utf8Bytes(data) : data.byteLength;
    return sum + dataBytes + utf8Bytes(partitionKey) + RECORD_BYTES;
  }, 0);
}
