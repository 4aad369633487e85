/** User records over the stored records that they lie in; nothing is decoded before somebody asks for it. */
import type { StreamRecord } from "@millrace/engine";
import {
  deaggregate,
  explodesInto,
  hasAggregateMagic,
  type UserRecord as Member,
  type ShardHashKeys,
} from "../aggregation/index.ts";
import { marksOf, type ReplicationMark } from "../replication/mark.ts";
import type { UserRecord } from "./group-types.ts";

/** See {@link UserRecord}. */
class StoredUserRecord implements UserRecord {
  readonly stored: StreamRecord;
  readonly subSequenceNumber: number;
  readonly mark: ReplicationMark | undefined;
  readonly #member: Member | undefined;

  constructor(stored: StreamRecord, member: Member | undefined, mark?: ReplicationMark) {
    this.stored = stored;
    this.mark = mark;
    this.#member = member;
    this.subSequenceNumber = member?.subSequenceNumber ?? 0;
  }

  get partitionKey(): string {
    return (this.#member ?? this.stored).partitionKey;
  }

  get explicitHashKey(): string | undefined {
    return this.#member?.explicitHashKey;
  }

  get sequenceNumber(): string {
    return this.stored.sequenceNumber;
  }

  get shardId(): string {
    return this.stored.shardId;
  }

  get arrivalMs(): number {
    return this.stored.arrivalMs;
  }

  get data(): Uint8Array<ArrayBuffer> {
    const { data } = this.stored;
    if (this.#member === undefined) return data;
    const { byteOffset, byteLength } = this.#member.data;
    return new Uint8Array(data.buffer, byteOffset, byteLength);
  }
}

/** The user records of a stored record; `dropped` when one of them falls outside of the shard. */
export interface ExplodedRecord {
  readonly records: readonly UserRecord[];
  readonly dropped: boolean;
}

/** A stored record as the only user record of itself. */
export function asIs(stored: StreamRecord): ExplodedRecord {
  return { records: [new StoredUserRecord(stored, undefined)], dropped: false };
}

/** Takes a stored record apart as the KCL does. */
export function explode(stored: StreamRecord, shard: ShardHashKeys): ExplodedRecord {
  if (!hasAggregateMagic(stored.data)) return asIs(stored);
  const members = deaggregate(stored);
  const dropped = !explodesInto(members, shard);
  const marks = marksOf(members);
  const records = members.map(
    (member, i) => new StoredUserRecord(stored, member.aggregated ? member : undefined, marks?.[i]),
  );
  return { records, dropped };
}
