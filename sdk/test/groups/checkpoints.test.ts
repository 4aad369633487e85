/** Checkpoints of one lease that are made at the same time. */
import type { Checkpointer, ShardProcessor } from "millrace";
import { describe, expect, it } from "vitest";
import { openEngine } from "../support.ts";
import { keep, put, until } from "./support.ts";

describe("a checkpoint without a record", () => {
  it("leaves the checkpoint where those before it, which are under way, have put it", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    await put(stream, 0, 3);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    let failure: unknown;
    let done = false;
    let keeper: Checkpointer | undefined;
    const processor: ShardProcessor = {
      initialize: ({ checkpointer }) => {
        keeper = checkpointer;
      },
      processRecords: async ({ checkpointer, records: [first] }) => {
        if (first === undefined || done) return;
        const steps = [
          checkpointer.checkpoint({ at: first }),
          keeper?.checkpoint({ state: { kept: 1 } }),
        ];
        await Promise.all(steps).catch((error: unknown) => {
          failure = error;
        });
        done = true;
      },
    };
    keep(group.start(() => processor, { checkpoints: "manual" }));
    await until(() => done);
    expect(failure).toBeUndefined();
    const { leases } = await group.describe();
    expect(leases[0]?.lagRecords).toBe(2);
  });
});
