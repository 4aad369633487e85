/**
 * One context's part in an engine that several share. It leads, or sends requests to whoever does, and takes
 * them to the next leader when that one goes: its page learns nothing of it.
 */
import {
  BatchGapError,
  DeadlineError,
  EngineClosedError,
  IndeterminateError,
  type MillraceError,
  toMillraceError,
} from "../errors/index.ts";
import { hexOfBytes } from "../model/hex.ts";
import { pause } from "../platform/deadline.ts";
import { memberLockName } from "../platform/locks.ts";
import type { HeldLock } from "../platform/platform.ts";
import type {
  BatchOrder,
  CallContext,
  ControlOperations,
  EngineService,
  EpochAnswer,
  EpochCommit,
  MemberStatus,
  ReadRequest,
} from "../service/engine-service.ts";
import { followEvents } from "./leader-events.ts";
import { Leadership, type MemberParts } from "./leadership.ts";
import { meansNoLeader } from "./no-leader.ts";
import { PutOrders, type PutSlip } from "./put-orders.ts";
import type { Target } from "./targets.ts";

/** How long a context waits for a leader, itself included, before it counts as not opened, in ms. */
const OPEN_MS_MAX = 115_000;
/** How long a request waits for a leader, in ms; its page gave it up long before. */
const REQUEST_MS_MAX = 120_000;
/** So many leaders a request is sent to without a pause… */
const LEADERS_AT_ONCE = 3;
/** …and then with one that grows up to this, in ms. */
const BREATH_MS = { min: 20, max: 500 } as const;

/** One request under way. */
interface Request<Result> {
  readonly run: (engine: EngineService, again: boolean, target: Target) => Promise<Result>;
  readonly again?: boolean;
  readonly signal?: AbortSignal;
}

/** An engine that several contexts share, as one of them sees it. */
export class Member implements EngineService {
  readonly #parts: MemberParts;
  readonly #memberId: string;
  readonly #leadership: Leadership;
  readonly #orders: PutOrders;
  #lock: HeldLock | undefined;
  #places = 0;
  #closing: Promise<void> | undefined;

  private constructor(parts: MemberParts) {
    this.#parts = parts;
    const id = parts.platform.random.fill(new Uint8Array(16));
    this.#memberId = hexOfBytes(id);
    this.#leadership = new Leadership(parts, this.#memberId);
    this.#orders = new PutOrders(parts.platform.clock);
  }

  /**
   * Joins an engine; resolves once there is a leader.
   * @throws what opening the engine throws, when it falls to this context to lead and it cannot.
   */
  static async open(parts: MemberParts): Promise<Member> {
    const member = new Member(parts);
    try {
      const { platform, options } = parts;
      member.#lock = await platform.locks.acquire(memberLockName(options.name, member.#memberId));
      member.#leadership.start();
      await member.#target(OPEN_MS_MAX);
      member.#leadership.opened();
      return member;
    } catch (error) {
      await member.close();
      throw error;
    }
  }

  async call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
    again = false,
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    // What the context answers by itself has the type of its operation, which the compiler cannot tell.
    type Answer = ReturnType<ControlOperations[Operation]>;
    if (operation === "memberStatus") return this.status() as Answer;
    if (operation === "events") {
      const wish = argument as Parameters<ControlOperations["events"]>[0];
      return (await this.#events(wish)) as Answer;
    }
    return await this.#request({
      run: (engine, twice) => engine.call(operation, argument, twice),
      again,
    });
  }

  put(batch: ArrayBuffer, call?: CallContext, order?: BatchOrder): Promise<ArrayBuffer> {
    return this.#orders.during(
      batch,
      order,
      (slip) =>
        this.#request({
          run: (engine, _again, target) => this.#putInTurn(target, engine, batch, call, slip),
          again: order !== undefined && order.ageMs > 0,
        }),
      (error) => error instanceof BatchGapError,
    );
  }

  commitEpoch(commit: EpochCommit, outputs: readonly ArrayBuffer[]): Promise<EpochAnswer> {
    return this.#request({ run: (engine) => engine.commitEpoch(commit, outputs) });
  }

  read(request: ReadRequest, signal: AbortSignal): Promise<ArrayBuffer> {
    const { clock } = this.#parts.platform;
    const startedMs = clock.monotonicMs();
    return this.#request({
      signal,
      run: (engine, again) => {
        if (!again) return engine.read(request, signal);
        const leftMs = request.waitMs - (clock.monotonicMs() - startedMs);
        const waitMs = Math.max(0, Math.ceil(leftMs));
        return engine.read({ ...request, waitMs }, signal);
      },
    });
  }

  /** What part this context plays at present. */
  status(): MemberStatus {
    const { targets, members, why } = this.#leadership;
    const facts = targets.current?.facts;
    const leads = facts?.transport === "local";
    return {
      role: leads ? "leader" : why === undefined ? "follower" : "client",
      why,
      epoch: facts?.epoch ?? 0,
      memberId: this.#memberId,
      leaderId: facts?.leaderId,
      transport: facts?.transport ?? "none",
      members: leads ? members : 0,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#leadership.stop(this.#closedError()).finally(() => {
      this.#lock?.release();
    });
    return this.#closing;
  }

  /** Makes a request of whoever leads, and again of the next leader when that one goes. */
  async #request<Result>({ run, again = false, signal }: Request<Result>): Promise<Result> {
    const { targets } = this.#leadership;
    this.#places += 1;
    const place = this.#places;
    let twice = again;
    for (let leaders = 1; ; leaders += 1) {
      if (this.#closing !== undefined) throw this.#closedError(twice);
      const target = targets.current ?? (await this.#nextTarget(twice, { place, signal }));
      try {
        return await target.run((engine) => run(engine, twice, target));
      } catch (error) {
        if (signal?.aborted === true || !meansNoLeader(error)) throw error;
        target.onDoubt();
        // It must not be asked again, whatever its context or connection makes of the news.
        targets.retire(target);
        twice = true;
        if (leaders >= LEADERS_AT_ONCE) await this.#breathe(leaders, signal);
      }
    }
  }

  /** A leader that asks for an earlier batch gets this one again once that one is settled. */
  async #putInTurn(
    target: Target,
    engine: EngineService,
    batch: ArrayBuffer,
    call: CallContext | undefined,
    slip: PutSlip | undefined,
  ): Promise<ArrayBuffer> {
    for (;;) {
      try {
        return await engine.put(batch, call, slip?.order());
      } catch (error) {
        if (!(error instanceof BatchGapError) || target.ended) throw error;
        const earlier = slip?.earlierFrom(Number(error.value));
        if (earlier === undefined) throw error;
        await earlier;
      }
    }
  }

  async #events(
    wish: Parameters<ControlOperations["events"]>[0],
  ): Promise<ReturnType<ControlOperations["events"]>> {
    const { clock } = this.#parts.platform;
    return await followEvents(clock, wish, (ask) =>
      this.#request({
        run: async (engine, _again, { facts }) => {
          const answer = await engine.call("events", ask(facts.epoch));
          return { answer, facts };
        },
      }),
    );
  }

  /** Leaders that come and go without an answer are not asked in a circle without a pause. */
  async #breathe(leaders: number, signal: AbortSignal | undefined): Promise<void> {
    const pauseMs = Math.min(BREATH_MS.max, BREATH_MS.min * (leaders - LEADERS_AT_ONCE + 1));
    await pause(this.#parts.platform.clock, pauseMs, signal);
  }

  /** No leader is no news of a request that an earlier one may have granted. */
  async #nextTarget(
    twice: boolean,
    { place, signal }: { place: number; signal: AbortSignal | undefined },
  ): Promise<Target> {
    try {
      return await this.#target(REQUEST_MS_MAX, place, signal);
    } catch (error) {
      // What can be taken back has no effect.
      if (!twice || signal !== undefined) throw error;
      const cause = toMillraceError(error);
      if (cause.indeterminate) throw cause;
      throw new IndeterminateError(
        `nobody leads who could tell what came of a request that was sent before: ${cause.message}`,
        { cause },
      );
    }
  }

  async #target(waitMs: number, place = 0, signal?: AbortSignal): Promise<Target> {
    const { targets } = this.#leadership;
    const current = targets.current;
    if (current !== undefined) return current;
    return await targets.next({
      ...{ place, signal },
      waitMs: this.#leadership.patienceMs ?? waitMs,
      late: () => this.#late(waitMs),
    });
  }

  #late(limit: number): MillraceError {
    const { name } = this.#parts.options;
    const { hindrance } = this.#leadership;
    if (hindrance !== undefined) return toMillraceError(hindrance);
    return new DeadlineError(`no context led the engine "${name}" within ${limit} ms`, {
      ...{ argument: "name", value: name, limit, indeterminate: true },
    });
  }

  #closedError(indeterminate = false): EngineClosedError {
    const { name } = this.#parts.options;
    return new EngineClosedError(`the engine "${name}" is closed`, {
      ...{ argument: "name", value: name, indeterminate },
    });
  }
}
