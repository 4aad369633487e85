/** Rules of faults by themselves: which are refused, which calls they choose, and how often. */
import { describe, expect, it } from "vitest";
import { InvalidArgumentError, MillraceError } from "../../src/errors/index.ts";
import { FaultInjector, type FaultSubject } from "../../src/faults/fault-injector.ts";
import type { FaultRule } from "../../src/faults/fault-rules.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";

const error: FaultRule["effect"] = { kind: "error", code: "InternalFailureException" };

function subject(parts: Partial<FaultSubject> = {}): FaultSubject {
  return {
    operation: "PutRecords",
    streamName: "clicks",
    shardIndexes: () => new Set([0, 2]),
    ...parts,
  };
}

function injector(rules: readonly FaultRule[], seed = 1): FaultInjector {
  const made = new FaultInjector(new SeededRandom(seed));
  made.set(rules);
  return made;
}

describe("rules", () => {
  const wrong: readonly [unknown, string][] = [
    [7, "rules"],
    [[7], "rules[0]"],
    [[{ effect: error, shard: "x" }], "rules[0].shard"],
    [[{ effect: error }, { operation: "PutRecrods", effect: error }], "rules[1].operation"],
    [[{ stream: "a b", effect: error }], "rules[0].stream"],
    [[{ shardId: "shardId", effect: error }], "rules[0].shardId"],
    [[{ probability: 1.5, effect: error }], "rules[0].probability"],
    [[{ probability: Number.NaN, effect: error }], "rules[0].probability"],
    [[{ times: 0, effect: error }], "rules[0].times"],
    [[{}], "rules[0].effect"],
    [[{ effect: { kind: "explode" } }], "rules[0].effect.kind"],
    [[{ effect: { kind: "delay", delayMs: -1 } }], "rules[0].effect.delayMs"],
    [[{ effect: { kind: "delay" } }], "rules[0].effect.delayMs"],
    [[{ effect: { kind: "error", code: "no code" } }], "rules[0].effect.code"],
    [[{ effect: { ...error, message: 1 } }], "rules[0].effect.message"],
    [[{ effect: { kind: "dropped-connection", when: "now" } }], "rules[0].effect.when"],
    [[{ effect: { kind: "partial-failure" } }], "rules[0].effect.recordProbability"],
    [
      [{ effect: { kind: "partial-failure", recordProbability: 1, code: "Other" } }],
      "rules[0].effect.code",
    ],
    [
      [{ operation: "PutRecord", effect: { kind: "partial-failure", recordProbability: 1 } }],
      "rules[0].effect.kind",
    ],
    [Array.from({ length: 101 }, () => ({ effect: error })), "rules.length"],
  ];
  it.each(wrong)("%j are refused by the member %s", (rules, argument) => {
    const made = injector([{ effect: error }]);
    const set = (): void => made.set(rules as readonly FaultRule[]);
    expect(set).toThrow(InvalidArgumentError);
    expect(set).toThrow(expect.objectContaining({ argument }));
    expect(made.rules()).toEqual([{ effect: error }]);
  });

  it("choose calls by operation, stream and shard", () => {
    const chosen = (rule: Partial<FaultRule>, parts: Partial<FaultSubject> = {}): boolean =>
      injector([{ ...rule, effect: error }]).judge(subject(parts)).failure !== undefined;
    expect(chosen({})).toBe(true);
    expect(chosen({ operation: "PutRecords" })).toBe(true);
    expect(chosen({ operation: "PutRecord" })).toBe(false);
    expect(chosen({ stream: "clicks" })).toBe(true);
    expect(chosen({ stream: "click" })).toBe(false);
    expect(chosen({ stream: "clicks" }, { streamName: undefined })).toBe(false);
    expect(chosen({ shardId: "shardId-000000000002" })).toBe(true);
    expect(chosen({ shardId: "shardId-000000000001" })).toBe(false);
    expect(chosen({ stream: "clicks", shardId: "2", operation: "GetRecords" })).toBe(false);
  });

  it("befall as many calls as they say, and show how many are left", () => {
    const made = injector([{ times: 2, effect: error }]);
    const fails = (): boolean => made.judge(subject()).failure !== undefined;
    expect(fails()).toBe(true);
    expect(made.rules()).toEqual([{ times: 1, effect: error }]);
    expect(fails()).toBe(true);
    expect(made.active).toBe(false);
    expect(fails()).toBe(false);
  });

  it("befall their part of the calls, the same ones with the same randomness", () => {
    const fates = (seed: number): boolean[] => {
      const made = injector([{ probability: 0.3, effect: error }], seed);
      return Array.from({ length: 2000 }, () => made.judge(subject()).failure !== undefined);
    };
    const befallen = fates(5).filter(Boolean).length;
    expect(befallen).toBeGreaterThan(500);
    expect(befallen).toBeLessThan(700);
    expect(fates(5)).toEqual(fates(5));
    expect(fates(6)).not.toEqual(fates(5));
  });

  it("add delays up, and are not used up by a call that failed before them", () => {
    const delay = { kind: "delay", delayMs: 100 } as const;
    const made = injector([
      { effect: delay },
      { times: 5, effect: { ...delay, delayMs: 50 } },
      { times: 1, effect: error },
      { times: 3, effect: delay },
    ]);
    const verdict = made.judge(subject());
    expect(verdict).toMatchObject({ delayMs: 150, failure: { code: error.code } });
    expect(made.rules().map(({ times }) => times)).toEqual([undefined, 4, 3]);
  });

  it("fail with the class that the real failure has", () => {
    const thrown = (code: string): MillraceError | undefined =>
      injector([{ effect: { kind: "error", code, message: "on purpose" } }]).judge(subject())
        .failure;
    expect(thrown("ProvisionedThroughputExceededException")).toMatchObject({
      name: "ThroughputExceededError",
      message: "on purpose",
      retryable: true,
    });
    expect(thrown("ResourceNotFoundException")).toMatchObject({ name: "ResourceNotFoundError" });
    expect(thrown("KMSDisabledException")).toMatchObject({ code: "KMSDisabledException" });
    expect(thrown("KMSDisabledException")).toBeInstanceOf(MillraceError);
  });

  it("refuse single records of PutRecords only, and count once per call", () => {
    const rule: FaultRule = {
      times: 2,
      effect: { kind: "partial-failure", recordProbability: 0.5 },
    };
    const made = injector([rule]);
    expect(made.judge(subject({ operation: "PutRecord" })).refusals).toEqual([]);
    for (let call = 0; call < 2; call++) {
      const [refusal] = made.judge(subject()).refusals;
      const refused = Array.from({ length: 100 }, () => refusal?.refuses()).filter(Boolean);
      expect(refused.length).toBeGreaterThan(20);
      expect(refused.length).toBeLessThan(80);
    }
    expect(made.active).toBe(false);
  });
});
