/** The Sync place: what its records are, how the way to the far side behaves, and what its lamps say. */
import { describe, expect, it, vi } from "vitest";
import { Way } from "../src/sync/far-side.ts";
import { numberedPuts, numberIn } from "../src/sync/numbered-put.ts";
import { syncSamples } from "../src/sync/samples.ts";

/** JavaScript parses as a module's body once its imports are taken out. */
function parses(code: string): boolean {
  const body = code.replace(/^import .*$/gm, "");
  try {
    new Function(`return async () => {${body}\n}`);
    return true;
  } catch {
    return false;
  }
}

describe("numbered records", () => {
  it("are found again by their run and number, each key's in order", () => {
    const records = [...numberedPuts("a", 0, 30), ...numberedPuts("a", 30, 5)];
    expect(records.map(({ data }) => numberIn(data)?.number)).toEqual(
      Array.from({ length: 35 }, (_, i) => i),
    );
    expect(new Set(records.map(({ partitionKey }) => partitionKey)).size).toBe(12);
    expect(numberIn(records[0]?.data ?? "")?.run).toBe("a");
  });

  it("are told from other data", () => {
    for (const text of ["", "{", "null", "7", '{"run":1,"number":2}', '{"number":2}']) {
      expect(numberIn(text)).toBeUndefined();
    }
  });
});

describe("the way to the far side", () => {
  it("carries calls, none, or loses some of them and some answers, and tells when it changes", async () => {
    vi.stubGlobal("addEventListener", () => undefined);
    vi.stubGlobal("removeEventListener", () => undefined);
    vi.stubGlobal("navigator", { onLine: true });
    const way = new Way();
    const states: string[] = [];
    const stop = way.onChange(() => states.push(way.state));
    const carried = async (): Promise<{ calls: number; answers: number }> => {
      let calls = 0;
      const results = await Promise.allSettled(
        Array.from({ length: 9 }, () => way.carry(async () => (calls += 1))),
      );
      return { calls, answers: results.filter(({ status }) => status === "fulfilled").length };
    };
    expect(await carried()).toEqual({ calls: 9, answers: 9 });
    way.become("gone");
    expect(way.online()).toBe(false);
    expect(await carried()).toEqual({ calls: 0, answers: 0 });
    way.become("faulty");
    expect(way.online()).toBe(true);
    expect(await carried()).toEqual({ calls: 6, answers: 3 });
    stop();
    way.become("there");
    expect(states).toEqual(["gone", "faulty"]);
    vi.unstubAllGlobals();
  });
});

describe("the samples", () => {
  it.each(syncSamples().map(({ heading, code }) => [heading, code]))("%s", (_heading, code) => {
    expect(parses(code)).toBe(true);
  });
});
