/** What a context says of the batches that it has under way. */
import { describe, expect, it } from "vitest";
import { BatchGapError } from "../../src/errors/index.ts";
import { PutOrders, type PutSlip } from "../../src/leader/put-orders.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { buildBatch } from "../support/batches.ts";

interface UnderWay {
  readonly slip: PutSlip;
  readonly settle: (error?: Error) => Promise<void>;
}

class Sender {
  readonly clock = new VirtualClock(0);
  readonly #orders = new PutOrders(this.clock);

  send(batchNumber: number, settledBefore: number, producer = 1, ageMs = 0): UnderWay {
    const batch = buildBatch({ streamUid: 1, batchNumber, records: [], producer });
    let taken: PutSlip | undefined;
    let end: (error?: Error) => void = () => undefined;
    const put = this.#orders.during(
      batch,
      { settledBefore, ageMs },
      (slip) => {
        taken = slip;
        return new Promise<void>((resolve, reject) => {
          end = (error) => (error === undefined ? resolve() : reject(error));
        });
      },
      (error) => error instanceof BatchGapError,
    );
    const settled = put.catch(() => undefined);
    if (taken === undefined) throw new Error("there is no slip");
    return {
      slip: taken,
      settle: async (error) => {
        end(error);
        await settled;
      },
    };
  }
}

describe("the order of puts", () => {
  it("counts as settled what was answered here, up to the first that was not", async () => {
    const sender = new Sender();
    const [one, two, three] = [1, 2, 3].map((number) => sender.send(number, 1));
    expect(three?.slip.order().settledBefore).toBe(1);
    await two?.settle();
    expect(three?.slip.order().settledBefore).toBe(1);
    await one?.settle(new Error("refused"));
    expect(three?.slip.order().settledBefore).toBe(3);
  });

  it("leaves open what its page will send again", async () => {
    const sender = new Sender();
    const one = sender.send(1, 1);
    const two = sender.send(2, 1);
    await one.settle(new BatchGapError("gap"));
    expect(two.slip.order().settledBefore).toBe(1);
  });

  it("believes the producer, one apart from the other", () => {
    const sender = new Sender();
    const one = sender.send(5, 4, 1);
    const other = sender.send(5, 2, 2);
    sender.send(6, 5, 1);
    expect(one.slip.order().settledBefore).toBe(5);
    expect(other.slip.order().settledBefore).toBe(2);
  });

  it("grows old", () => {
    const sender = new Sender();
    const { slip } = sender.send(1, 1, 1, 30);
    sender.clock.advanceBy(12);
    expect(slip.order().ageMs).toBe(42);
  });

  it("waits for the earliest that a leader asks for, when it is under way here", async () => {
    const sender = new Sender();
    const [one, two, four] = [1, 2, 4].map((number) => sender.send(number, 1));
    expect(four?.slip.earlierFrom(3)).toBeUndefined();
    expect(four?.slip.earlierFrom(4)).toBeUndefined();
    let waited = false;
    const earlier = four?.slip.earlierFrom(1)?.then(() => {
      waited = true;
    });
    await two?.settle();
    expect(waited).toBe(false);
    await one?.settle();
    await earlier;
    expect(waited).toBe(true);
  });
});
