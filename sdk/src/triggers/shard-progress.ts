/**
 * How far a shard's records are done with. They may become done in any order; what is checkpointed is always a
 * prefix, together with what its records leave behind: on-failure records and a window's state.
 */
import { type EngineClient, LeaseLostError, pause } from "@millrace/engine";
import { backOffMs } from "../groups/back-off.ts";
import type { Checkpointer, OutputRecord, StateValue, UserRecord } from "../groups/group-types.ts";

/** First pause before progress is stored again, in ms. */
const RETRY_MS = 200;
/** On-failure records of one epoch at most: each is about 1 KB. */
const OUTPUTS_MAX = 1000;

/** What is stored with the checkpoint that first covers a record. */
export interface DoneEffects {
  readonly outputs?: readonly OutputRecord[];
  readonly state?: Readonly<Record<string, StateValue>>;
}

/** One record that is under way. */
export interface PendingRecord {
  readonly record: UserRecord;
  /** About its bytes in an event. */
  readonly bytes: number;
  done: boolean;
  effects: NumberedEffects | undefined;
}

/** Effects, numbered in the order in which they came about. */
interface NumberedEffects extends DoneEffects {
  readonly number: number;
}

/** What progress works with. */
export interface ProgressParts {
  readonly client: EngineClient;
  readonly checkpointer: Checkpointer;
  readonly leaving: AbortSignal;
  readonly onFailure: (error: unknown) => void;
}

interface Step {
  readonly at: UserRecord | undefined;
  readonly outputs: readonly OutputRecord[];
  readonly state: Readonly<Record<string, StateValue>>;
}

/** See above. */
export class ShardProgress {
  readonly #parts: ProgressParts;
  /** In the order of the shard; those from `#first` on are not checkpointed. */
  #pending: PendingRecord[] = [];
  #first = 0;
  #bytes = 0;
  /** What no record stands for. */
  #unbound: NumberedEffects[] = [];
  #effectsCount = 0;
  /** The newest effects whose state was taken. */
  #stateNumber = 0;
  #running: Promise<void> | undefined;
  /** Nothing can be stored any more. */
  #over = false;
  readonly #waiting = new Set<() => void>();

  constructor(parts: ProgressParts) {
    this.#parts = parts;
  }

  /** Records that are not checkpointed. */
  get size(): number {
    return this.#pending.length - this.#first;
  }

  /** About their bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The next record of the shard. */
  add(record: UserRecord, bytes: number): PendingRecord {
    const entry: PendingRecord = { record, bytes, done: false, effects: undefined };
    this.#pending.push(entry);
    this.#bytes += bytes;
    return entry;
  }

  /** Records are done with; `effects` go with the last of them. Without records they go with the next epoch. */
  finish(entries: readonly PendingRecord[], effects?: DoneEffects): void {
    for (const entry of entries) entry.done = true;
    if (effects !== undefined) {
      this.#effectsCount += 1;
      const numbered = { ...effects, number: this.#effectsCount };
      const last = entries.at(-1);
      if (last !== undefined) last.effects = numbered;
      else this.#unbound.push(numbered);
    }
    this.#kick();
  }

  /** Resolves when less is under way. */
  async change(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** Resolves when everything is checkpointed that can be; or cannot be any more. */
  async settle(): Promise<void> {
    this.#kick();
    await this.#running;
  }

  #kick(): void {
    if (this.#over) return;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // What is done in the same moment goes along.
    await Promise.resolve();
    for (let step = this.#take(); step !== undefined && !this.#over; step = this.#take()) {
      this.#over = !(await this.#store(step));
      for (const tell of this.#waiting) tell();
      this.#waiting.clear();
    }
    this.#running = undefined;
  }

  /** Takes off what is done from the beginning; undefined when there is nothing to store. */
  #take(): Step | undefined {
    const outputs: OutputRecord[] = [];
    let state: DoneEffects["state"];
    const gather = (effects: NumberedEffects | undefined): void => {
      if (effects === undefined) return;
      outputs.push(...(effects.outputs ?? []));
      // Each state is a whole one: what came about before the last one that was taken is over.
      if (effects.state === undefined || effects.number < this.#stateNumber) return;
      this.#stateNumber = effects.number;
      state = effects.state;
    };
    let at: UserRecord | undefined;
    let next = this.#pending[this.#first];
    while (next?.done === true && outputs.length < OUTPUTS_MAX) {
      at = next.record;
      this.#bytes -= next.bytes;
      gather(next.effects);
      this.#first += 1;
      next = this.#pending[this.#first];
    }
    if (this.#first > this.#pending.length / 2) {
      this.#pending = this.#pending.slice(this.#first);
      this.#first = 0;
    }
    const unbound = this.#unbound.length > 0 && next?.done !== true;
    if (unbound) for (const effects of this.#unbound.splice(0)) gather(effects);
    return at === undefined && !unbound ? undefined : { at, outputs, state: state ?? {} };
  }

  /** Stores until it is stored; false when it cannot be. */
  async #store({ at, outputs, state }: Step): Promise<boolean> {
    const { client, checkpointer, leaving, onFailure } = this.#parts;
    for (let failures = 1; ; failures++) {
      try {
        await checkpointer.checkpoint({ ...(at === undefined ? {} : { at }), outputs, state });
        return true;
      } catch (error) {
        if (error instanceof LeaseLostError || client.closed) return false;
        onFailure(error);
        if (leaving.aborted) return false;
        await pause(client.clock, backOffMs(RETRY_MS, failures), leaving).catch(() => undefined);
      }
    }
  }
}
