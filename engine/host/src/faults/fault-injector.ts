/** Decides, call by call, which injected faults befall it. Draws from the platform's randomness only. */
import type { MillraceError } from "../errors/index.ts";
import type { OperationName } from "../model/shapes.ts";
import type { Random } from "../platform/platform.ts";
import { randomFraction } from "../platform/random-fraction.ts";
import { shardIndexOf } from "../sequence/sequence-number.ts";
import type { FaultEffect, FaultRule } from "./fault-rules.ts";
import { checkFaultRules } from "./fault-validation.ts";
import { injectedError } from "./injected-errors.ts";

/** A call as rules see it. */
export interface FaultSubject {
  readonly operation: OperationName;
  /** Name of the stream that the call is about; undefined when it is about none. */
  readonly streamName: string | undefined;
  /** Indexes of the shards that the call touches; asked only when a rule names a shard. */
  readonly shardIndexes: () => ReadonlySet<number>;
}

/** Refusals of single records, by one rule. */
export interface RecordRefusals {
  readonly code: "ProvisionedThroughputExceededException" | "InternalFailure";
  /** Only records of this shard; of all when undefined. */
  readonly shardIndex: number | undefined;
  /** Decides over one record; the first refusal of a call counts against the rule's `times`. */
  readonly refuses: () => boolean;
}

/** What befalls one call. */
export interface FaultVerdict {
  /** Milliseconds that the call is held back before anything else happens. */
  readonly delayMs: number;
  /** Thrown instead of making the call: the injected error, or the connection that ends before it. */
  readonly failure: MillraceError | undefined;
  /** Thrown after the call was made, in place of its answer. */
  readonly lostAnswer: MillraceError | undefined;
  readonly refusals: readonly RecordRefusals[];
}

/** A rule in force. */
interface ActiveRule {
  readonly rule: FaultRule;
  /** Index of the shard that the rule names, so that ids are read once. */
  readonly shardIndex: number | undefined;
  /** Calls that it may still befall; Infinity without end. */
  left: number;
}

/** The rules of one engine. They outlive the lives of its log, but not the engine. */
export class FaultInjector {
  readonly #random: Random;
  readonly #drawn = new Uint8Array(4);
  #active: ActiveRule[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Whether any rule may befall a call. */
  get active(): boolean {
    return this.#active.length > 0;
  }

  /** Replaces all rules, or none when one of them is wrong. @throws InvalidArgumentError that names the member. */
  set(rules: readonly FaultRule[]): void {
    checkFaultRules(rules);
    this.#active = rules.map((rule) => ({
      rule,
      shardIndex: rule.shardId === undefined ? undefined : shardIndexOf(rule.shardId),
      left: rule.times ?? Number.POSITIVE_INFINITY,
    }));
  }

  /** The rules in force; `times` says how many calls they may still befall. */
  rules(): FaultRule[] {
    return this.#active.map(({ rule, left }) =>
      rule.times === undefined ? rule : { ...rule, times: left },
    );
  }

  /**
   * What befalls a call. Delays add up; after the first rule that fails the call no further one is
   * asked, so that it is not used up by a call that never was.
   */
  judge(subject: FaultSubject): FaultVerdict {
    let delayMs = 0;
    let failure: MillraceError | undefined;
    let lostAnswer: MillraceError | undefined;
    const refusals: RecordRefusals[] = [];
    for (const active of [...this.#active]) {
      if (failure !== undefined || !chooses(active, subject)) continue;
      const { effect, probability = 1 } = active.rule;
      if (!this.#chance(probability)) continue;
      if (effect.kind === "partial-failure") {
        refusals.push(this.#refusals(active, effect));
        continue;
      }
      this.#count(active);
      if (effect.kind === "delay") delayMs += effect.delayMs;
      else if (effect.kind === "dropped-connection" && effect.when === "after")
        lostAnswer ??= injectedError(effect);
      else failure = injectedError(effect);
    }
    return { delayMs, failure, lostAnswer, refusals };
  }

  #refusals(
    active: ActiveRule,
    { recordProbability, code }: Extract<FaultEffect, { kind: "partial-failure" }>,
  ): RecordRefusals {
    let counted = false;
    return {
      code: code ?? "ProvisionedThroughputExceededException",
      shardIndex: active.shardIndex,
      refuses: () => {
        if (!this.#chance(recordProbability)) return false;
        if (!counted) this.#count(active);
        counted = true;
        return true;
      },
    };
  }

  #count(active: ActiveRule): void {
    active.left -= 1;
    if (active.left <= 0) this.#active = this.#active.filter((one) => one !== active);
  }

  /** Draws only where the outcome is open, so that a rule without chance leaves the sequence alone. */
  #chance(probability: number): boolean {
    if (probability >= 1) return true;
    if (probability <= 0) return false;
    return randomFraction(this.#random, this.#drawn) < probability;
  }
}

/** Whether a call is one of those that a rule is about. */
function chooses({ rule, shardIndex }: ActiveRule, subject: FaultSubject): boolean {
  const { operation, stream, effect } = rule;
  if (operation !== undefined && operation !== subject.operation) return false;
  if (stream !== undefined && stream !== subject.streamName) return false;
  if (effect.kind === "partial-failure" && subject.operation !== "PutRecords") return false;
  return shardIndex === undefined || subject.shardIndexes().has(shardIndex);
}
