/** A worker's session with the leader: joins, hears of its leases, and joins again when the leader knows it no more. */
import {
  DeadlineError,
  type EngineClient,
  EngineClosedError,
  GroupSessionLostError,
  InvalidArgumentError,
  type OwnedLease,
  pause,
  ResourceNotFoundError,
  withDeadline,
} from "@millrace/engine";
import { backOffMs } from "./back-off.ts";
import type { GivenLease } from "./held-lease.ts";

/** How long the leader holds a question; and how long the answer may take after that, in ms. */
const WAIT_MS = 20_000;
const ANSWER_MS = 30_000;
/** How long a worker that leaves waits for its join, in ms. */
const JOIN_MS_MAX = 2000;
/** First pause after a question that failed, in ms. */
const RETRY_MS = 100;
/** A session that was lost sooner is not followed by the next one at once, in ms: another worker may have the id. */
const SHORT_MS = 1000;

/** What a session works with. */
export interface SessionParts {
  readonly client: EngineClient;
  readonly groupName: string;
  readonly workerId: string;
  readonly leasesMax: number | undefined;
  /** Hears all leases that the worker owns, whenever they change. */
  readonly onLeases: (leases: readonly OwnedLease[]) => void;
}

/** See above. */
export class LeaseSession {
  readonly #parts: SessionParts;
  /** Of the last join that was answered. */
  #sessionId: string | undefined;
  /** A join that is on its way: the leader may have given leases to it. */
  #joining: Promise<string> | undefined;
  #leaving = false;
  #left = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** Returns after {@link leave}. @throws ResourceNotFoundError when the group is deleted, EngineClosedError. */
  async run(): Promise<void> {
    const { client } = this.#parts;
    const { clock } = client;
    for (let failures = 0; !this.#left; ) {
      const begunMs = clock.monotonicMs();
      try {
        await this.#listen(await this.#join());
      } catch (error) {
        if (this.#left) return;
        if (client.closed || isFinal(error)) throw error;
        if (clock.monotonicMs() - begunMs > SHORT_MS) failures = 0;
        if (error instanceof GroupSessionLostError && failures === 0) {
          failures = 1;
          continue;
        }
        failures += 1;
        await pause(client.clock, backOffMs(RETRY_MS, failures));
      }
    }
  }

  /** From here on, the leases that are given back go to others. */
  closing(): void {
    this.#leaving = true;
  }

  /** Gives a lease back. A session that is lost has none: the next one gives it back. */
  async release({ shardIndex, leaseCounter }: GivenLease): Promise<void> {
    const { client, groupName } = this.#parts;
    const sessionId = this.#sessionId;
    if (sessionId === undefined) return;
    const leaving = this.#leaving;
    await client.call("groupRelease", { groupName, sessionId, shardIndex, leaseCounter, leaving });
  }

  /** Ends the session; the leases go to others at once. */
  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    const { clock } = this.#parts.client;
    const joining = this.#joining ?? Promise.resolve();
    const late = (): Error => new DeadlineError("the worker could not join in time");
    try {
      await withDeadline<unknown>(clock, JOIN_MS_MAX, joining, late);
    } catch {
      // The leader may give it leases all the same: it leaves again when it hears of them.
      joining.then(() => this.#sendLeave()).catch(() => undefined);
    }
    await this.#sendLeave();
  }

  async #sendLeave(): Promise<void> {
    const { client, groupName, workerId } = this.#parts;
    const sessionId = this.#sessionId;
    if (sessionId === undefined) return;
    await client.call("groupLeave", { groupName, sessionId, workerId });
  }

  async #join(): Promise<string> {
    const { client, groupName, workerId, leasesMax } = this.#parts;
    const { memberId } = await client.call("memberStatus", {});
    const limited = leasesMax === undefined ? {} : { leasesMax };
    const joining = { groupName, workerId, memberId: memberId || null, ...limited };
    if (this.#left) throw new GroupSessionLostError("the worker has left");
    this.#joining = client.call("groupJoin", joining).then(({ sessionId }) => {
      this.#sessionId = sessionId;
      return sessionId;
    });
    return await this.#joining;
  }

  async #listen(sessionId: string): Promise<void> {
    const { client, groupName, onLeases } = this.#parts;
    let seenVersion = 0;
    while (!this.#left) {
      const polling = { groupName, sessionId, seenVersion, waitMs: WAIT_MS };
      const { version, leases } = await client.call("groupPoll", polling, WAIT_MS + ANSWER_MS);
      if (this.#left) return;
      if (version !== seenVersion) onLeases(leases);
      seenVersion = version;
    }
  }
}

/** Whether no later attempt can go better. */
function isFinal(error: unknown): boolean {
  const deleted = error instanceof ResourceNotFoundError;
  return deleted || error instanceof InvalidArgumentError || error instanceof EngineClosedError;
}
