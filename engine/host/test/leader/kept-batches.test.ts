/** Batches that tabs left with the broker and that a leader cannot put at once. */
import { describe, expect, it } from "vitest";
import {
  BatchGapError,
  EngineClosedError,
  type MillraceError,
  StoreFullError,
} from "../../src/errors/index.ts";
import { putKept } from "../../src/leader/kept-batches.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import type { BatchOrder } from "../../src/service/engine-service.ts";
import { engineDouble, numberOf } from "../rpc/double.ts";

async function put(
  numbers: readonly number[],
  settledBefore: number,
  fail: (number: number, order: BatchOrder | undefined) => MillraceError | undefined,
): Promise<{ settled: boolean; taken: number[] }> {
  const clock = new VirtualClock(0);
  const taken: number[] = [];
  const engine = engineDouble({
    put: async (batch, _call, order) => {
      const error = fail(numberOf(batch), order);
      if (error !== undefined) throw error;
      taken.push(numberOf(batch));
      return new ArrayBuffer(32);
    },
  });
  const batches = numbers.map((number) => {
    const bytes = new Uint8Array(64);
    new DataView(bytes.buffer).setBigUint64(32, BigInt(number), true);
    return { bytes, settledBefore };
  });
  let settled: boolean | undefined;
  void putKept(engine, batches, clock).then((value) => {
    settled = value;
  });
  for (let i = 0; settled === undefined && i < 200; i++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await clock.advance(500);
  }
  return { settled: settled === true, taken };
}

describe("batches that were left behind", () => {
  it("are tried again while they are refused for the time being", async () => {
    const full = new StoreFullError("full", { retryable: true });
    let times = 3;
    const { settled, taken } = await put([1, 2], 1, (number) =>
      number === 2 && times-- > 0 ? full : undefined,
    );
    expect([settled, taken]).toEqual([true, [1, 2]]);
  });

  it("stay with the broker when the leader goes", async () => {
    const { settled, taken } = await put([1, 2], 1, (number) =>
      number === 2 ? new EngineClosedError("closed") : undefined,
    );
    expect([settled, taken]).toEqual([false, [1]]);
  });

  it("are put without those that they follow when nobody brings these", async () => {
    const gap = new BatchGapError("wait", { argument: "batchNumber", value: 3 });
    const { settled, taken } = await put([5], 3, (_number, order) =>
      order !== undefined && order.settledBefore < 5 ? gap : undefined,
    );
    expect([settled, taken]).toEqual([true, [5]]);
  });
});
