/** The leases of one consumer group as the documents have them, and how they are changed: one change of a lease at a time. */
import { ResourceNotFoundError } from "../errors/index.ts";
import type { ControlRecord, StreamDefinition } from "../log/control-records.ts";
import type { Log } from "../log/log.ts";
import type { Documents } from "../streams/documents.ts";
import {
  deletingState,
  expiriesOf,
  groupKey,
  leaseKey,
  leasesOf,
  puttingLease,
  type StoredExpiry,
  type StoredGroup,
  type StoredLease,
} from "./group-documents.ts";
import type { LeaseOwner } from "./group-types.ts";
import { changesOf, type LeaseChanges } from "./lease-discovery.ts";
import { LeaseGates } from "./lease-gates.ts";
import { creatingLease } from "./new-lease.ts";

/** Where leases are kept. */
export interface LeaseSources {
  readonly log: Log;
  readonly documents: Documents;
}

/** See above. */
export class GroupLeases {
  readonly groupName: string;
  /** Whatever changes a lease goes through these. */
  readonly gates = new LeaseGates();
  readonly #sources: LeaseSources;
  #failure: Error | undefined;

  constructor(sources: LeaseSources, groupName: string) {
    this.#sources = sources;
    this.groupName = groupName;
  }

  /** The group as it is stored. @throws what it was ended with; ResourceNotFoundError when it was deleted. */
  get stored(): StoredGroup {
    this.requireGoing();
    const stored = this.#sources.documents.get<StoredGroup>(groupKey(this.groupName));
    if (stored === undefined) throw noGroup(this.groupName);
    return stored;
  }

  /** The group's stream. @throws as {@link stored}. */
  get stream(): StreamDefinition {
    const stream = this.#sources.log.control.stream(this.stored.streamUid);
    if (stream === undefined) throw noGroup(this.groupName);
    return stream;
  }

  /** Why nothing is changed any more; undefined while the group goes on under this leader. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** @throws what the group was ended with. */
  requireGoing(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Nothing is changed from here on. */
  end(error: Error): void {
    this.#failure ??= error;
  }

  /** All leases, by shard index. */
  all(): Map<number, StoredLease> {
    return leasesOf(this.#sources.documents, this.groupName);
  }

  /** What is kept of shards that expired before the group was done with them, by shard index. */
  expiries(): Map<number, StoredExpiry> {
    return expiriesOf(this.#sources.documents, this.groupName);
  }

  /** A lease; undefined when there is none for that shard. */
  get(shardIndex: number): StoredLease | undefined {
    return this.#sources.documents.get<StoredLease>(leaseKey(this.groupName, shardIndex));
  }

  /** Shard indexes of the leases that a worker owns. */
  ownedBy(workerId: string): number[] {
    const own = [...this.all()].filter(([, { owner }]) => owner?.workerId === workerId);
    return own.map(([shardIndex]) => shardIndex);
  }

  /**
   * Changes leases as they are once nothing else changes them; durable when it resolves. A lease for which
   * `change` gives nothing stays as it is.
   */
  async update(
    shardIndexes: readonly number[],
    change: (lease: StoredLease, shardIndex: number) => Partial<StoredLease> | undefined,
  ): Promise<void> {
    const { documents, log } = this.#sources;
    await this.gates.during(shardIndexes, async () => {
      this.requireGoing();
      const records = shardIndexes.flatMap((shardIndex): ControlRecord[] => {
        const lease = this.get(shardIndex);
        const changed = lease === undefined ? undefined : change(lease, shardIndex);
        if (lease === undefined || changed === undefined) return [];
        return [puttingLease(documents, this.groupName, shardIndex, { ...lease, ...changed })];
      });
      if (records.length > 0) await log.change(records);
    });
  }

  /** Creates the leases that the group lacks, and deletes those of shards that are gone. Answers whether there were any. */
  async discover(): Promise<boolean> {
    const { created, deleted } = this.#changes();
    const affected = new Set([...created.map(({ shardIndex }) => shardIndex), ...deleted]);
    if (affected.size === 0) return false;
    await this.gates.during([...affected], async () => {
      const records = this.#recordsOf(this.#changes(), affected);
      if (records.length > 0) await this.#sources.log.change(records);
    });
    return true;
  }

  #changes(): LeaseChanges {
    return changesOf(this.stream.shards, this.all(), this.stored.startingPosition);
  }

  #recordsOf({ created, deleted }: LeaseChanges, affected: ReadonlySet<number>): ControlRecord[] {
    const { documents } = this.#sources;
    const { stored, groupName } = this;
    const made = created.filter(({ shardIndex }) => affected.has(shardIndex));
    const gone = deleted.filter((shardIndex) => affected.has(shardIndex));
    return [
      ...made.map((lease) => creatingLease(this.#sources, groupName, stored, lease)),
      ...gone.flatMap((shardIndex) => [
        documents.deleting(leaseKey(groupName, shardIndex)),
        ...deletingState(documents, groupName, shardIndex),
      ]),
    ];
  }
}

/** What another owner changes of a lease: whoever had it before is fenced off. */
export function withOwner(lease: StoredLease, owner: LeaseOwner | null): Partial<StoredLease> {
  return {
    owner: owner === null ? null : { workerId: owner.workerId, memberId: owner.memberId },
    leaseCounter: lease.leaseCounter + 1,
    ownerSwitches: lease.ownerSwitches + 1,
  };
}

/** The error for a group that there is not. */
export function noGroup(name: string): ResourceNotFoundError {
  return new ResourceNotFoundError(`Consumer group ${name} not found.`, {
    argument: "name",
    value: name,
  });
}
