/**
 * A worker's part in a group whose leases are in a table, as in the KCL: it renews the leases that it has, takes those
 * that nobody renews, asks for one when another worker has more, and gives up what it is asked for.
 */
import {
  EngineClosedError,
  LeaseLostError,
  type OwnedLease,
  pause,
  ResourceNotFoundError,
  randomFraction,
  shardIndexOf,
  systemRandom,
} from "@millrace/engine";
import { backOffMs } from "../../groups/back-off.ts";
import type { GivenLease } from "../../groups/held-lease.ts";
import type { ReadFailureListener } from "../../groups/shard-source.ts";
import type { LeaseGiver } from "../../groups/worker-backend.ts";
import type { WorkerSurroundings } from "../../groups/worker-surroundings.ts";
import type { LeaseRow, LeaseTable } from "../../lease-table.ts";
import { CounterWatch } from "./counter-watch.ts";
import { DiscoveryRounds } from "./discovery-rounds.ts";
import { type LeasePlan, planLeases } from "./lease-plan.ts";
import { checkpointOf, isEnded } from "./lease-rows.ts";
import { stateOf } from "./lease-state.ts";
import { OwnedRow } from "./owned-row.ts";
import type { ShardDiscovery } from "./shard-discovery.ts";

/** First pause after a turn that failed, in ms. */
const RETRY_MS = 100;
/** Of the time after which others may take a lease, its owner keeps so much without a renewal. */
const KEPT_PART = 0.9;
const TURNS_PER_FAILOVER = 3;
/** So often a worker that leaves tries to withdraw what it asked for, while others change it at the same time. */
const WITHDRAWALS_MAX = 5;

/** What a session works with. */
export interface TableSessionParts {
  readonly table: LeaseTable;
  readonly surroundings: WorkerSurroundings;
  readonly discovery: ShardDiscovery;
  readonly workerId: string;
  readonly leasesMax: number | undefined;
  readonly failoverMs: number;
  readonly handOverMs: number;
  readonly onLeases: (leases: readonly OwnedLease[]) => void;
  readonly onFailure: ReadFailureListener;
}

/** See above. */
export class TableSession implements LeaseGiver {
  readonly #parts: TableSessionParts;
  readonly #owned = new Map<string, OwnedRow>();
  readonly #watch = new CounterWatch();
  /** Since when this worker waits for leases of others, by their keys (monotonic, in ms). */
  readonly #asked = new Map<string, number>();
  readonly #rounds: DiscoveryRounds;
  readonly #renewing = new Set<OwnedRow>();
  readonly #leaving = new AbortController();
  /** Nothing is taken any more. */
  #closing = false;
  #left = false;
  #fatal: { readonly error: unknown } | undefined;
  #awake = false;
  #wake: () => void = () => undefined;
  /** The turn under way: what it takes or asks for may still become this worker's. */
  #turning: Promise<void> = Promise.resolve();

  constructor(parts: TableSessionParts) {
    this.#parts = parts;
    const { discovery, surroundings, failoverMs } = parts;
    this.#rounds = new DiscoveryRounds({
      ...{ discovery, clock: surroundings.clock, retryMs: failoverMs },
      onDone: () => this.#rouse(),
      onFailure: (error) => {
        if (surroundings.closed || isFinal(error)) this.#fatal = { error };
        else this.#tellFailure(error, 1, failoverMs);
        this.#rouse();
      },
    });
  }

  async run(): Promise<void> {
    const { surroundings, failoverMs } = this.#parts;
    const turnMs = failoverMs / TURNS_PER_FAILOVER;
    void this.#keepRenewing();
    for (let failures = 0; !this.#left; ) {
      let waitMs = turnMs;
      try {
        this.#turning = this.#turn();
        await this.#turning;
        failures = 0;
      } catch (error) {
        if (this.#left) return;
        if (surroundings.closed || isFinal(error)) throw error;
        failures += 1;
        waitMs = Math.min(turnMs, backOffMs(RETRY_MS, failures));
        this.#tellFailure(error, failures, waitMs);
      }
      if (this.#fatal !== undefined) throw this.#fatal.error;
      await this.#sleep(waitMs);
    }
  }

  /** What is owned as a lease; undefined when it is not any more. */
  find({ shardIndex, leaseCounter }: GivenLease): OwnedRow | undefined {
    for (const owned of this.#owned.values()) {
      if (owned.leaseCounter !== leaseCounter || owned.lost) continue;
      if (shardIndexOf(owned.row.leaseKey) === shardIndex) return owned;
    }
    return undefined;
  }

  /** Shards have changed: they are looked at as soon as may be. */
  discoverSoon(): void {
    this.#rounds.soon();
    this.#rouse();
  }

  /** A lease's shard is finished, and its row nobody's. */
  finish(lease: GivenLease): void {
    const owned = this.find(lease);
    if (owned === undefined) return;
    this.#drop(owned);
    this.discoverSoon();
  }

  async release(lease: GivenLease): Promise<void> {
    const owned = this.find(lease);
    if (owned === undefined) return;
    await owned.giveUp();
    this.#drop(owned);
    this.#rouse();
  }

  closing(): void {
    this.#closing = true;
    this.#rouse();
  }

  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    this.#closing = true;
    this.#leaving.abort();
    this.#rounds.stop();
    this.#rouse();
    const owned = [...this.#owned.values()];
    await Promise.allSettled([this.#turning, ...owned.map((one) => one.giveUp())]);
    for (const one of owned) this.#drop(one);
    for (let attempt = 1; attempt <= WITHDRAWALS_MAX; attempt++) {
      if (await this.#withdraw(await this.#parts.table.list())) return;
    }
  }

  get #nowMs(): number {
    return this.#parts.surroundings.clock.monotonicMs();
  }

  async #turn(): Promise<void> {
    const rows = await this.#list();
    if (!this.#closing) await this.#take(rows);
    else if (!this.#left) await this.#withdraw(rows);
    this.#tellLeases();
    this.#rounds.look();
  }

  /** All rows. @throws ResourceNotFoundError when the group was deleted. */
  async #list(): Promise<readonly LeaseRow[]> {
    const rows = await this.#parts.discovery.rows();
    this.#watch.see(rows, this.#nowMs);
    const byKey = new Map(rows.map((row) => [row.leaseKey, row]));
    for (const [leaseKey, owned] of this.#owned) owned.follow(byKey.get(leaseKey));
    return rows;
  }

  /** Beside all else: no list, no taking and no other row keeps a lease from being renewed in time. */
  async #keepRenewing(): Promise<void> {
    const { surroundings, failoverMs } = this.#parts;
    const { signal } = this.#leaving;
    while (!signal.aborted) {
      for (const owned of this.#owned.values()) void this.#renew(owned);
      const waitMs = failoverMs / (2 * TURNS_PER_FAILOVER);
      await pause(surroundings.clock, waitMs, signal).catch(() => undefined);
    }
  }

  /** Shows that the owner lives, where no change did for a while. */
  async #renew(owned: OwnedRow): Promise<void> {
    const { failoverMs, surroundings } = this.#parts;
    const isDue = this.#nowMs - owned.renewedMs >= failoverMs / (TURNS_PER_FAILOVER + 1);
    if (!isDue || this.#renewing.has(owned)) return;
    this.#renewing.add(owned);
    try {
      await owned.change((row) => row);
    } catch (error) {
      const told = !owned.lost && !this.#left && !surroundings.closed;
      if (told && !(error instanceof LeaseLostError))
        this.#tellFailure(error, 1, failoverMs / (2 * TURNS_PER_FAILOVER));
    } finally {
      this.#renewing.delete(owned);
    }
  }

  async #take(rows: readonly LeaseRow[]): Promise<void> {
    const { table, workerId, failoverMs } = this.#parts;
    const { take, ask } = this.#plan(rows);
    const endMs = this.#nowMs + failoverMs / TURNS_PER_FAILOVER;
    for (const row of rows) {
      // What is taken already is to begin.
      if (this.#nowMs > endMs) return;
      // Given to this worker, or left by one that bore its name.
      const given = (row.owner ?? row.wantedBy) === workerId;
      const mine = given && !isEnded(row) && !this.#owned.has(row.leaseKey);
      if (mine || take.includes(row) || this.#waitedTooLong(row)) await this.#takeOne(row);
    }
    if (ask === undefined || this.#closing) return;
    const asking = { ...ask, wantedBy: workerId, counter: ask.counter + 1 };
    if (await table.replace(asking, ask.counter)) this.#asked.set(ask.leaseKey, this.#nowMs);
  }

  #plan(rows: readonly LeaseRow[]): LeasePlan {
    const { workerId, failoverMs, leasesMax = Number.POSITIVE_INFINITY } = this.#parts;
    return planLeases({
      ...{ rows, workerId, failoverMs, leasesMax },
      stillMs: (row) => this.#watch.stillMs(row, this.#nowMs),
      below: (count) => Math.floor(randomFraction(systemRandom) * count),
    });
  }

  /** Whether an owner that was asked for a lease did not give it in time. */
  #waitedTooLong({ leaseKey, wantedBy, owner }: LeaseRow): boolean {
    const { workerId, handOverMs } = this.#parts;
    if (wantedBy !== workerId || owner === workerId) {
      this.#asked.delete(leaseKey);
      return false;
    }
    const sinceMs = this.#asked.get(leaseKey) ?? this.#nowMs;
    this.#asked.set(leaseKey, sinceMs);
    return this.#nowMs - sinceMs >= handOverMs;
  }

  async #takeOne(seen: LeaseRow): Promise<void> {
    const { table, workerId, failoverMs, surroundings } = this.#parts;
    if (this.#closing) return;
    const takenMs = this.#nowMs;
    const row = {
      ...{ ...seen, owner: workerId, wantedBy: null, counter: seen.counter + 1 },
      ownerSwitches: seen.ownerSwitches + 1,
    };
    if (!(await table.replace(row, seen.counter))) return;
    this.#asked.delete(row.leaseKey);
    const { clock } = surroundings;
    const keepMs = KEPT_PART * failoverMs;
    const onLost = (lost: OwnedRow): void => {
      this.#drop(lost);
      this.#tellLeases();
    };
    const owned = new OwnedRow({ table, clock, workerId, keepMs, onLost }, row, takenMs);
    this.#owned.set(row.leaseKey, owned);
    // It left while it waited for the table.
    if (this.#closing) await this.#leaveOne(owned);
  }

  async #leaveOne(owned: OwnedRow): Promise<void> {
    await owned.giveUp().catch(() => undefined);
    this.#drop(owned);
  }

  /**
   * Nobody is to wait for a worker that leaves: not for what it asked for, and not for what it was given last. False
   * where somebody else changed a row meanwhile, as its owner does that renews it.
   */
  async #withdraw(rows: readonly LeaseRow[]): Promise<boolean> {
    const { table, workerId } = this.#parts;
    let done = true;
    for (const row of rows) {
      if (row.owner !== workerId && row.wantedBy !== workerId) continue;
      if (this.#owned.has(row.leaseKey)) continue;
      const owner = row.owner === workerId ? null : row.owner;
      const next = { ...row, owner, wantedBy: null, counter: row.counter + 1 };
      if (!(await table.replace(next, row.counter))) done = false;
    }
    return done;
  }

  #drop(owned: OwnedRow): void {
    owned.forget();
    const { leaseKey } = owned.row;
    if (this.#owned.get(leaseKey) === owned) this.#owned.delete(leaseKey);
  }

  #tellLeases(): void {
    if (this.#left) return;
    const { workerId, onLeases } = this.#parts;
    // Also what is finished already: whoever reads it hears of that by its own call.
    const leases = [...this.#owned.values()].filter(({ lost }) => !lost);
    onLeases(leases.map((owned) => ownedLeaseOf(owned, workerId)));
  }

  #tellFailure(error: unknown, attempt: number, retryMs: number): void {
    const shards = [...this.#owned.values()].map(({ row }) => shardIndexOf(row.leaseKey));
    this.#parts.onFailure(shards, { attempt, error, retryMs });
  }

  #rouse(): void {
    this.#awake = true;
    this.#wake();
  }

  async #sleep(waitMs: number): Promise<void> {
    let cancel: () => void = () => undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#awake) resolve();
      else cancel = this.#parts.surroundings.clock.after(waitMs, resolve);
    });
    cancel();
    this.#awake = false;
  }
}

/** A row as a lease of the worker's. */
function ownedLeaseOf({ row, leaseCounter }: OwnedRow, workerId: string): OwnedLease {
  const { leaseKey: shardId, wantedBy } = row;
  return {
    ...{ shardId, shardIndex: shardIndexOf(shardId), streamUid: 0, leaseCounter, epoch: 0 },
    ...{ checkpoint: checkpointOf(row), pendingCheckpoint: null, nextIndex: 0 },
    handOver: wantedBy !== null && wantedBy !== workerId,
    // It is long, and only asked for when the lease begins.
    get state() {
      return stateOf(row);
    },
  };
}

/** Whether no later attempt can go better. */
function isFinal(error: unknown): boolean {
  return error instanceof ResourceNotFoundError || error instanceof EngineClosedError;
}
