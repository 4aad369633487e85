/** The verdict on what is on disk: every loss that the evidence proves is said. */
import type { StorageReport } from "millrace";
import { describe, expect, it } from "vitest";
import { type Evidence, weigh } from "../src/live/verdict.ts";

const STORAGE: StorageReport = {
  kind: "indexeddb",
  durable: true,
  budgetBytes: undefined,
  storedBytes: 0,
  full: false,
  incarnation: "",
  witnessed: true,
  usageBytes: 1,
  quotaBytes: 2,
  persistent: false,
  walFrames: 1,
  walBytes: 1,
  segments: 0,
  coreMemoryBytes: 1,
  dirtyBytes: 0,
  cachedBytes: 0,
  unacknowledgedBytes: 0,
  commits: 1,
  epoch: 1,
  sealFailure: undefined,
  retentionPausedBecause: undefined,
  trailFailure: undefined,
  trailEventsLost: 0,
};

const SOUND: Evidence = {
  storage: STORAGE,
  acknowledgedBefore: 100,
  committed: 100,
  promised: 50,
  found: 50,
  fullRead: { expected: 150, records: 150 },
  dataLoss: [],
};

describe("the verdict", () => {
  it("is good when every account is settled", () => {
    expect(weigh(SOUND)).toMatchObject({
      state: "good",
      text: "Everything acknowledged is on disk",
    });
  });

  it("vouches for this visit only while earlier records are not counted", () => {
    const { state, text } = weigh({ ...SOUND, found: undefined, fullRead: undefined });
    expect(state).toBe("good");
    expect(text).toBe("Everything acknowledged in this visit is on disk");
  });

  it("says how much waits for its commit", () => {
    const storage = { ...STORAGE, unacknowledgedBytes: 2048 };
    expect(weigh({ ...SOUND, storage }).detail).toContain("2.0 KiB");
  });

  it.each<[string, Partial<Evidence>, string]>([
    ["the engine committed less than it acknowledged", { committed: 97 }, "3 acknowledged records"],
    ["less is found than was promised", { found: 49 }, "1 acknowledged record missing"],
    [
      "a full read finds less than was acknowledged",
      { fullRead: { expected: 150, records: 140 } },
      "10 acknowledged records missing",
    ],
    [
      "the engine found damage",
      { dataLoss: [{ kind: "segment", where: "s", reason: "torn", recordCount: 1 }] },
      "damaged",
    ],
  ])("is hot when %s", (_name, change, text) => {
    const verdict = weigh({ ...SOUND, ...change });
    expect(verdict.state).toBe("hot");
    expect(verdict.text).toContain(text);
  });

  it("does not call memory a disk", () => {
    const storage = { ...STORAGE, kind: "memory" as const, durable: false };
    expect(weigh({ ...SOUND, storage })).toMatchObject({ state: "warn" });
  });

  it("passes on why segments stay behind", () => {
    const verdict = weigh({ ...SOUND, storage: { ...STORAGE, sealFailure: "quota exceeded" } });
    expect(verdict).toMatchObject({ state: "warn", detail: "quota exceeded" });
  });

  it("claims nothing before the engine has reported", () => {
    expect(weigh({ ...SOUND, storage: undefined }).state).toBe("off");
  });
});
