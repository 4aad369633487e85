/** Epochs between a page and its worker: sent as copies, and again when the worker dies or does not know. */
import { describe, expect, it } from "vitest";
import { IndeterminateError, LeaseLostError, StoreFailedError } from "../../src/errors/index.ts";
import type { EngineService, EpochCommit } from "../../src/service/engine-service.ts";
import { turns } from "../support/turns.ts";
import { batchOf, keep, never, openRestarting, outcome, type Restarting } from "./double.ts";

const COMMIT: EpochCommit = {
  ...{ groupName: "group", workerId: "one", state: [{ shardIndex: 0, key: "a", value: [1] }] },
  checkpoints: [
    { shardIndex: 0, leaseCounter: 1, epoch: 1, checkpoint: { index: 3, subSequenceNumber: 0 } },
  ],
};

async function open(plans: readonly Partial<EngineService>[]): Promise<Restarting> {
  return keep(await openRestarting(plans));
}

describe("an epoch of a page", () => {
  it("goes to the next worker as it was when one dies under it", async () => {
    const seen: { commit: EpochCommit; outputs: number[] }[] = [];
    const note = (commit: EpochCommit, outputs: readonly ArrayBuffer[]): void => {
      seen.push({ commit, outputs: outputs.map(({ byteLength }) => byteLength) });
    };
    const { client, threads } = await open([
      {
        commitEpoch: (commit, outputs) => {
          note(commit, outputs);
          return never;
        },
      },
      {
        commitEpoch: async (commit, outputs) => {
          note(commit, outputs);
          return { repeated: true };
        },
      },
    ]);
    const answer = client.commitEpoch(COMMIT, [batchOf(64), batchOf(128)]);
    await turns();
    threads[0]?.fail("out of memory");
    expect(await answer).toEqual({ repeated: true });
    const sent = { commit: COMMIT, outputs: [64, 128] };
    expect(seen).toEqual([sent, sent]);
  });

  it("is asked once more when its outcome is not known, and refused as the engine refuses it", async () => {
    let asked = 0;
    const { client } = await open([
      {
        commitEpoch: async () => {
          asked += 1;
          if (asked === 2) return { repeated: true };
          if (asked === 3) throw new LeaseLostError("gone", { argument: "leaseCounter" });
          throw new StoreFailedError("who knows", { indeterminate: true });
        },
      },
    ]);
    expect(await client.commitEpoch(COMMIT, [])).toEqual({ repeated: true });
    const lost = client.commitEpoch(COMMIT, []);
    await expect(lost).rejects.toBeInstanceOf(LeaseLostError);
    await expect(lost).rejects.toMatchObject({ argument: "leaseCounter" });
    // Twice without an answer that tells: the first one is what the caller hears.
    await expect(client.commitEpoch(COMMIT, [])).rejects.toThrow("who knows");
    expect(asked).toBe(5);
  });

  it("without an answer in time may be committed or not", async () => {
    const { client, clock } = await open([{ commitEpoch: () => never }]);
    const answer = outcome(client.commitEpoch(COMMIT, []));
    await turns();
    await clock.advance(120_000);
    expect(await answer).toBeInstanceOf(IndeterminateError);
  });
});
