/**
 * One consumer group under one leader: its workers, and the leases that are moved between them. What a lease
 * is, the documents say; here is only what ends with the leader.
 */
import { GroupSessionLostError, MillraceError, toMillraceError } from "../errors/index.ts";
import type { SlottedShard } from "../log/shard-slots.ts";
import { hexOfBytes } from "../model/hex.ts";
import type { Clock, Locks, Random } from "../platform/platform.ts";
import { shardIdOf } from "../sequence/sequence-number.ts";
import { type AssignableLease, assign } from "./assignment.ts";
import { firstIndexOf, isEnded } from "./checkpoints.ts";
import { type StoredLease, stateOf } from "./group-documents.ts";
import { GroupLeases, type LeaseSources, withOwner } from "./group-leases.ts";
import type { GroupPollAnswer, LeaseOwner, LeaseStatus, OwnedLease } from "./group-types.ts";
import { HandOvers } from "./hand-overs.ts";
import { Waiting } from "./lease-discovery.ts";
import { WorkerSession } from "./worker-session.ts";

/** After a change that could not be committed, in ms. */
const RETRY_MS = 1000;

/** What groups work with. */
export interface GroupParts extends LeaseSources {
  readonly clock: Clock;
  readonly random: Random;
  readonly locks: Locks;
  readonly engineName: string;
}

/** See above. */
export class Group {
  readonly name: string;
  readonly leases: GroupLeases;
  readonly #parts: GroupParts;
  readonly #workers = new Map<string, WorkerSession>();
  readonly #handOvers: HandOvers;
  #round: Promise<void> | undefined;
  #again = false;
  #cancelRetry: () => void = () => undefined;

  constructor(parts: GroupParts, name: string) {
    this.#parts = parts;
    this.name = name;
    this.leases = new GroupLeases(parts, name);
    this.#handOvers = new HandOvers(parts.clock, {
      changed: (shardIndex) => this.touch(this.leases.get(shardIndex)?.owner?.workerId),
      due: () => this.kick(),
    });
  }

  /** Waits for the owners that the leader before left, and gives out what has none. */
  resume(): void {
    for (const { owner } of this.leases.all().values()) {
      if (owner === null || this.#workers.has(owner.workerId)) continue;
      this.#expect({ ...owner, sessionId: undefined, leasesMax: Number.POSITIVE_INFINITY });
    }
    this.kick();
  }

  /** All workers that are known, joined or waited for. */
  get workers(): readonly WorkerSession[] {
    return [...this.#workers.values()];
  }

  /** A lease's owner, when it is believed to live. */
  ownerOf({ owner }: StoredLease): LeaseOwner | null {
    const known = owner === null ? undefined : this.#workers.get(owner.workerId)?.worker;
    return known === undefined ? null : { workerId: known.workerId, memberId: known.memberId };
  }

  /** How a lease is doing. */
  statusOf(shardIndex: number, lease: StoredLease, waiting: Waiting): LeaseStatus {
    if (isEnded(lease)) return "ended";
    if (this.ownerOf(lease) !== null) {
      return this.#handOvers.has(shardIndex) ? "handing-over" : "owned";
    }
    return waiting.waits(shardIndex) ? "waiting-for-parents" : "available";
  }

  /** Joins a worker; its session's id. Who joins under the same id keeps its leases. */
  async join({ workerId, memberId }: LeaseOwner, leasesMax: number): Promise<string> {
    this.leases.requireGoing();
    const sessionId = hexOfBytes(this.#parts.random.fill(new Uint8Array(16)));
    const before = this.#workers.get(workerId);
    this.#expect({ workerId, memberId, sessionId, leasesMax });
    before?.end(lost(this.name));
    // The next leader must know in which context the worker is now, also of a lease that is being given to it.
    if (before !== undefined || this.leases.ownedBy(workerId).length > 0) {
      await this.leases.update([...this.leases.all().keys()], ({ owner }) =>
        owner?.workerId === workerId && owner.memberId !== memberId
          ? { owner: { workerId, memberId } }
          : undefined,
      );
    }
    this.kick();
    return sessionId;
  }

  /** The leases of a session's worker, once their version is another one or time is over. @throws GroupSessionLostError. */
  async poll(sessionId: string, seenVersion: number, waitMs: number): Promise<GroupPollAnswer> {
    const session = this.#joined(sessionId);
    return await session.poll(seenVersion, waitMs, () => this.#answer(session));
  }

  /**
   * Ends a worker's session; what it owned is given to others. So is what is left of a worker that this leader only
   * waits for, or whose leases could not be freed when it left before.
   */
  async leave(sessionId: string, workerId: string): Promise<void> {
    this.leases.requireGoing();
    const session = this.#workers.get(workerId);
    const present = session?.worker.sessionId;
    // It has joined again since.
    if (present !== undefined && present !== sessionId) return;
    if (session !== undefined) this.#forget(session);
    // One that is being given to it just now is its own only once that is written down.
    await this.#free([...this.leases.all().keys()], workerId);
  }

  /**
   * Takes a lease back from a session's worker, if it is still its own; one that is leaving is given none any
   * more. @throws GroupSessionLostError.
   */
  async release(
    sessionId: string,
    { shardIndex, leaseCounter }: Pick<OwnedLease, "shardIndex" | "leaseCounter">,
    leaving: boolean,
  ): Promise<void> {
    const session = this.#joined(sessionId);
    const { worker } = session;
    session.leaving ||= leaving;
    if (this.leases.get(shardIndex)?.leaseCounter !== leaseCounter) return;
    await this.#free([shardIndex], worker.workerId);
  }

  /** Looks again at what the group lacks and who is to own what; what there is to do is done in the background. */
  kick(): void {
    if (this.leases.failure !== undefined) return;
    this.#again = true;
    this.#round ??= this.#run().finally(() => {
      this.#round = undefined;
      // It may have been kicked after its last look.
      if (this.#again) this.kick();
    });
  }

  /** The leases of a worker were changed: it is told. */
  touch(workerId: string | undefined): void {
    if (workerId !== undefined) this.#workers.get(workerId)?.touch();
  }

  /** Ends the group under this leader: what is under way fails with this error. */
  end(error: Error): void {
    this.leases.end(error);
    this.#cancelRetry();
    this.#handOvers.clear();
    for (const session of this.#workers.values()) session.end(error);
  }

  // ── Workers ────────────────────────────────────────────────────────────────────────────────────

  /** Knows a worker from here on, until it is not heard of. */
  #expect(worker: WorkerSession["worker"]): void {
    const { failoverMs } = this.leases.stored;
    const onDead = (dead: WorkerSession): void => {
      this.#forget(dead);
      this.kick();
    };
    const session = new WorkerSession({ ...this.#parts, failoverMs, onDead }, worker);
    this.#workers.set(worker.workerId, session);
  }

  #find(sessionId: string): WorkerSession | undefined {
    return this.workers.find(({ worker }) => worker.sessionId === sessionId);
  }

  #joined(sessionId: string): WorkerSession {
    this.leases.requireGoing();
    const session = this.#find(sessionId);
    if (session === undefined) throw lost(this.name);
    return session;
  }

  #forget(session: WorkerSession): void {
    session.end(lost(this.name));
    const { workerId } = session.worker;
    if (this.#workers.get(workerId) === session) this.#workers.delete(workerId);
  }

  async #answer({ worker, version }: WorkerSession): Promise<GroupPollAnswer> {
    const own = this.leases.ownedBy(worker.workerId).map((index) => this.#describe(index));
    return { version, leases: (await Promise.all(own)).flat() };
  }

  /** A lease as its owner gets it; none when it is finished, or its shard goes meanwhile. */
  async #describe(shardIndex: number): Promise<OwnedLease[]> {
    const { log, documents } = this.#parts;
    const { streamUid } = this.leases.stored;
    const lease = this.leases.get(shardIndex);
    const shards = log.slots.ofStream(streamUid);
    const shard = shards.find((one) => one.shardIndex === shardIndex);
    if (lease === undefined || shard === undefined || isEnded(lease)) return [];
    const { leaseCounter, epoch, checkpoint, pendingCheckpoint = null } = lease;
    const described = {
      ...{ shardId: shardIdOf(shardIndex), shardIndex, streamUid, leaseCounter, epoch },
      ...{ checkpoint, pendingCheckpoint, state: stateOf(documents, this.name, shardIndex) },
      handOver: this.#handOvers.has(shardIndex),
    };
    const nextIndex = await this.#firstIndexOf(shard, lease);
    return nextIndex === undefined ? [] : [{ ...described, nextIndex }];
  }

  async #firstIndexOf(shard: SlottedShard, lease: StoredLease): Promise<number | undefined> {
    const { log } = this.#parts;
    try {
      return await firstIndexOf(log, shard, lease);
    } catch (error) {
      if (log.slots.ofUid(shard.uid) !== undefined) throw error;
      return undefined;
    }
  }

  // ── Leases ─────────────────────────────────────────────────────────────────────────────────────

  /** Takes leases from a worker, as far as it owns them. */
  async #free(shardIndexes: readonly number[], workerId: string): Promise<void> {
    try {
      await this.leases.update(shardIndexes, (lease) =>
        lease.owner?.workerId === workerId && !isEnded(lease) ? withOwner(lease, null) : undefined,
      );
    } finally {
      // Leases of a worker that is not known any more are given out also when that could not be written down.
      this.touch(workerId);
      this.kick();
    }
  }

  async #run(): Promise<void> {
    try {
      while (this.#again && this.leases.failure === undefined) {
        this.#again = false;
        if (await this.leases.discover()) for (const session of this.workers) session.touch();
        await this.#assign();
      }
    } catch (error) {
      // A group or a log that is over has nothing more to do; a store that is full may not stay so.
      this.#again = false;
      // Whoever waits for a lease would wait for ever: they are told.
      if (!(error instanceof MillraceError)) return this.end(toMillraceError(error));
      if (this.leases.failure !== undefined || this.#parts.log.failure !== undefined) return;
      this.#cancelRetry();
      this.#cancelRetry = this.#parts.clock.after(RETRY_MS, () => this.kick());
    }
  }

  /** Gives out what nobody owns, and asks for what others are to own. */
  async #assign(): Promise<void> {
    const takers = this.workers.filter((session) => session.takes).map(({ worker }) => worker);
    const plan = assign(this.#assignable(), takers);
    this.#handOvers.ask(plan.handedOver, this.leases.stored.handOverMs);
    const given = new Map<number, string>();
    for (const { shardIndex, workerId } of plan.taken) {
      const lease = this.leases.get(shardIndex);
      // It was to be taken by force, and now its owner may keep it.
      if (lease !== undefined && this.ownerOf(lease)?.workerId === workerId) {
        this.#handOvers.end(shardIndex);
      } else given.set(shardIndex, workerId);
    }
    if (given.size > 0) await this.#give(given);
  }

  /** Gives leases that are free to workers, as far as both still are there. */
  async #give(takers: ReadonlyMap<number, string>): Promise<void> {
    const told = new Set<string>(takers.values());
    await this.leases.update([...takers.keys()], (lease, shardIndex) => {
      const taker = this.#workers.get(takers.get(shardIndex) ?? "");
      if (taker?.takes !== true || !this.#isFree(shardIndex, lease)) return undefined;
      if (lease.owner !== null) told.add(lease.owner.workerId);
      return withOwner(lease, taker.worker);
    });
    for (const shardIndex of takers.keys()) this.#handOvers.end(shardIndex);
    for (const workerId of told) this.touch(workerId);
    this.#again = true;
  }

  /** Leases that can be owned now, as the assignment looks at them. */
  #assignable(): AssignableLease[] {
    const leases = this.leases.all();
    const waiting = new Waiting(this.leases.stream.shards, leases);
    return [...leases].flatMap(([shardIndex, lease]) => {
      const free = this.#isFree(shardIndex, lease);
      if (isEnded(lease) || (free && waiting.waits(shardIndex))) return [];
      const workerId = free ? null : (lease.owner?.workerId ?? null);
      return [{ shardIndex, workerId, handingOver: this.#handOvers.has(shardIndex) }];
    });
  }

  #isFree(shardIndex: number, lease: StoredLease): boolean {
    if (isEnded(lease)) return false;
    return this.ownerOf(lease) === null || this.#handOvers.isForced(shardIndex);
  }
}

function lost(name: string): GroupSessionLostError {
  return new GroupSessionLostError(
    `the session in consumer group ${name} is over: its worker was not heard of, joined again or left, ` +
      "or another context leads now",
    { argument: "sessionId" },
  );
}
