/**
 * The lives of an engine, one after the other. A trap of the core ends a life, and so does a store that came
 * back older: the next one is recovered from the store, and the calls that were under way are made again.
 */
import { CoreTrapError } from "../core/core-errors.ts";
import {
  DeposedError,
  EngineClosedError,
  EngineFailedError,
  InternalFailureError,
  type MillraceError,
  UnsupportedFormatError,
} from "../errors/index.ts";
import { CoreFailedError, StoreReplacedError } from "../log/commit-errors.ts";
import type { Testimony } from "../log/witness.ts";
import type { EngineLife } from "./engine-life.ts";

/** Calls that the core traps at by their own fault are made this often. */
const FAULTS_PER_CALL_MAX = 2;
/** Calls that suffer from others' faults are made in this many lives. */
const LIVES_PER_CALL_MAX = 8;

/** A call over one life; `again` says that it may have taken effect in the life before. */
export type LifeCall<Result> = (life: EngineLife, again: boolean) => Promise<Result>;

/** What the lives of an engine have in common. */
export interface LivesParts {
  /** Name of the engine, for messages. */
  readonly name: string;
  /** Whether the store can be recovered from. */
  readonly recoverable: boolean;
  /** Recovers a life from the store; `testimony` is what the life before knew of a store that was replaced. */
  readonly begin: (testimony?: Testimony) => Promise<EngineLife>;
}

/** Makes calls over whichever life is the current one. */
export class Lives {
  readonly #parts: LivesParts;
  #life: Promise<EngineLife>;
  #closing = false;
  /** Why lives were ended on purpose: no fault of the core, so that no call is given up for them. */
  readonly #intended = new WeakSet<Error>();

  constructor(parts: LivesParts, first: EngineLife) {
    this.#parts = parts;
    this.#life = Promise.resolve(first);
  }

  /** The current life, once it has begun. @throws EngineClosedError, or why it could not begin. */
  async current(): Promise<EngineLife> {
    return await this.#open(false, false);
  }

  /**
   * Makes a call, and makes it again in the next life when this one ended before its time. A call that the
   * core trapped at twice by its own fault is refused. With `last`, it is made even while the engine closes.
   */
  async attempt<Result>(call: LifeCall<Result>, last = false): Promise<Result> {
    let faults = 0;
    let failure: MillraceError | undefined;
    let again = false;
    for (let lives = 0; lives < LIVES_PER_CALL_MAX && faults < FAULTS_PER_CALL_MAX; ) {
      const life = await this.#open(again, last);
      try {
        return await call(life, again);
      } catch (error) {
        const trap = error instanceof CoreTrapError;
        const replaced = error instanceof StoreReplacedError;
        if (!trap && !replaced && !(error instanceof CoreFailedError)) throw error;
        this.#renew(life, error);
        failure = error;
        again = true;
        // While the engine closes no next life follows.
        if (this.#closing || !this.#intended.has(error)) lives++;
        if (trap || (!replaced && error.ownBatch)) faults++;
      }
    }
    throw new InternalFailureError(`the core failed again and again: ${failure?.message}`, {
      indeterminate: faults < FAULTS_PER_CALL_MAX,
      cause: failure,
    });
  }

  /**
   * Ends the current life on purpose, with all that is in its memory; resolves once the next one is
   * recovered from the store. Calls under way are made again there. An engine in memory goes on.
   */
  async renew(reason: MillraceError): Promise<void> {
    if (!this.#parts.recoverable) return;
    const life = await this.#life;
    const error = new CoreFailedError(reason);
    this.#intended.add(error);
    this.#renew(life, error);
    await this.#life;
  }

  /** Takes no new call from now on, makes the last ones, and ends the life in order. */
  async close(makeLast: () => Promise<void>): Promise<void> {
    this.#closing = true;
    await makeLast();
    // A life that could not begin has nothing to close.
    const life = await this.#life.catch(() => undefined);
    await life?.close();
  }

  /** `again` says that the call may have taken effect already. */
  async #open(again: boolean, last: boolean): Promise<EngineLife> {
    if (this.#closing && !last) {
      const { name } = this.#parts;
      throw new EngineClosedError(`the engine "${name}" is closed`, {
        argument: "name",
        value: name,
        indeterminate: again,
      });
    }
    return await this.#life;
  }

  /** Ends a life, unless another call has done so, and recovers the next one from the store. */
  #renew(life: EngineLife, error: CoreTrapError | CoreFailedError | StoreReplacedError): void {
    if (life.ended) return;
    life.end(error);
    if (this.#closing) return;
    const { name, recoverable, begin } = this.#parts;
    // What the life before knew of its producers is of a log that is gone.
    if (error instanceof StoreReplacedError) this.#life = begin(error.testimony);
    else if (recoverable) this.#life = begin().then((next) => next.succeed(life));
    else {
      // Nothing of an engine in memory is in a store, and an empty life would pass for a whole one.
      this.#life = Promise.reject(
        new EngineFailedError(
          `the core of the engine "${name}" failed, and an engine in memory cannot be recovered`,
          { cause: error },
        ),
      );
    }
    this.#life = this.#life.catch((cause: unknown) => {
      throw unrecovered(cause, name);
    });
    // Whoever makes the next call is told when recovery fails.
    this.#life.catch(() => undefined);
  }
}

/** An engine whose next life did not begin can do no more, whatever kept it from it. */
function unrecovered(cause: unknown, name: string): unknown {
  const told =
    cause instanceof DeposedError ||
    cause instanceof EngineFailedError ||
    cause instanceof UnsupportedFormatError;
  if (told) return cause;
  return new EngineFailedError(`the engine "${name}" could not be recovered`, { cause });
}
