/** The calls that a view shows: they name what is on the screen, and are code that parses. */
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { faultSamples } from "../src/faults/samples.ts";
import { addressOf } from "../src/places/address.ts";
import { type Act, samplesOf } from "../src/streams/samples.ts";

const stream = "clicks";
const view = addressOf(
  `?place=streams&stream=${stream}&tab=records&shard=3&from=AFTER_SEQUENCE_NUMBER&sequence=42`,
);
const atTime = addressOf(
  `?place=streams&stream=${stream}&tab=records&from=AT_TIMESTAMP&at=2026-11-21T13:00:05.000Z`,
);
if (view.place !== "streams" || view.view !== "records") throw new Error("not a records view");
if (atTime.place !== "streams" || atTime.view !== "records") throw new Error("not a records view");

const acts: readonly Act[] = [
  { kind: "list" },
  { kind: "create", stream, mode: "PROVISIONED", shards: 3, retentionHours: 48 },
  { kind: "create", stream, mode: "ON_DEMAND", shards: 3, retentionHours: 24 },
  { kind: "delete", stream },
  { kind: "split", stream, shardId: "shardId-000000000000", hashKey: "170" },
  { kind: "merge", stream, shardId: "shardId-000000000000", adjacent: "shardId-000000000001" },
  { kind: "scale", stream, shards: 6 },
  { kind: "retain", stream, hours: 168, increase: true },
  { kind: "retain", stream, hours: 24, increase: false },
  { kind: "shards", stream },
  { kind: "put", stream, key: `it's "a" key`, data: `{"a": "$(touch x) 'b'"}\n` },
  { kind: "records", view },
  { kind: "records", view: atTime },
];

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

describe("samples", () => {
  it.each(acts)("of $kind come three ways and parse", (act) => {
    const [sdk, awsSdk, commandLine, ...more] = samplesOf(act);
    expect(more).toEqual([]);
    expect(parses(sdk?.code ?? "(")).toBe(true);
    expect(parses(awsSdk?.code ?? "(")).toBe(true);
    const shell = spawnSync("bash", ["-n"], { input: commandLine?.code ?? "(" });
    expect(shell.status).toBe(0);
  });

  it("say what is on the screen", () => {
    const text = (act: Act): string =>
      samplesOf(act)
        .map(({ code }) => code)
        .join("\n");
    const split = text({ kind: "split", stream, shardId: "shardId-000000000000", hashKey: "170" });
    expect(split).toContain(`stream.split("shardId-000000000000", "170")`);
    expect(split).toContain("new SplitShardCommand({");
    expect(split).toContain("--new-starting-hash-key 170");
    const records = text({ kind: "records", view });
    expect(records).toContain(`from: { sequenceNumber: "42", after: true }`);
    expect(records).toContain(`ShardId: "shardId-000000000003"`);
    expect(records).toContain("--starting-sequence-number 42");
    expect(text({ kind: "records", view: atTime })).toContain("2026-11-21T13:00:05.000Z");
  });

  it("of the faults parse and name the engine that they befall", () => {
    const samples = faultSamples("bench", "run");
    for (const { code } of samples) {
      // Only modules know their own address.
      expect(parses(code.replaceAll("import.meta.url", "location.href"))).toBe(true);
    }
    const text = samples.map(({ code }) => code).join("\n");
    expect(text).toContain('name: "bench"');
    expect(text).toContain('"millrace:bench:writer"');
  });

  it("hand a record's key and data to the shell as they are", () => {
    const key = `it's "a" key`;
    const [, , commandLine] = samplesOf({ kind: "put", stream, key, data: "$(exit 3)" });
    const input = `aws() { printf '%s\\n' "$@"; }\n${commandLine?.code ?? ""}`;
    const said = spawnSync("bash", { input, encoding: "utf8" }).stdout.split("\n");
    expect(said).toContain(key);
    expect(said).toContain("$(exit 3)");
  });
});
