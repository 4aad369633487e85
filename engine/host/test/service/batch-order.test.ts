/** Batches that are sent again, too early or too late, to one leader and to the next: once, in order, never in silence. */
import { describe, expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { BatchOrder, StreamDescription } from "../../src/service/engine-service.ts";
import { ApiEngine, callOf, turns } from "../support/api-calls.ts";
import { buildBatch, readResult, type TestResultRow } from "../support/batches.ts";
import { numberOf, someRecords } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";

const HOUR_MS = 3_600_000;

/** A client that keeps what it sent, and the engine that leads at present. */
class Sender {
  api: ApiEngine;
  readonly stream: StreamDescription;
  readonly #batches = new Map<number, ArrayBuffer>();

  private constructor(api: ApiEngine, stream: StreamDescription) {
    this.api = api;
    this.stream = stream;
  }

  static async open(): Promise<Sender> {
    const api = await ApiEngine.open();
    return new Sender(api, await api.engine.createStream());
  }

  /** Sends the batch of a number, whose one record bears it too. */
  async put(batchNumber: number, order: Partial<BatchOrder> = {}): Promise<TestResultRow[]> {
    return await this.putTo(this.stream, batchNumber, order);
  }

  async putTo(
    { uid: streamUid }: StreamDescription,
    batchNumber: number,
    order: Partial<BatchOrder> = {},
  ): Promise<TestResultRow[]> {
    const known = this.#batches.get(batchNumber);
    const records = someRecords(1, 100, batchNumber);
    const batch = known ?? buildBatch({ streamUid, batchNumber, records, producer: 7 });
    this.#batches.set(batchNumber, batch);
    const { settledBefore = 1, ageMs = 0 } = order;
    const call = callOf("PutRecords");
    return readResult(await this.api.service.put(batch.slice(0), call, { settledBefore, ageMs }));
  }

  /** The leader dies with what it had not committed; another one takes over. */
  async changeLeader(): Promise<void> {
    this.api = await ApiEngine.open({}, this.api.platform.restart());
  }

  async stored(): Promise<number[]> {
    return (await this.api.engine.readAll(this.stream)).map(numberOf);
  }
}

describe("a batch", () => {
  it("that comes too early is asked for from the first one that is missing", async () => {
    const sender = await Sender.open();
    await sender.put(1);
    const early = sender.put(4);
    await expect(early).rejects.toMatchObject({
      ...{ name: "BatchGapError", argument: "batchNumber", value: 2, limit: 4, retryable: true },
    });
    await Promise.all([2, 3, 4].map((number) => sender.put(number)));
    expect(await sender.stored()).toEqual([1, 2, 3, 4]);
    await sender.api.close();
  });

  it("that comes again is answered alike, by the leader that took it and by the next ones", async () => {
    const sender = await Sender.open();
    const first = await Promise.all([1, 2, 3].map((number) => sender.put(number)));
    for (let leader = 0; leader < 3; leader++) {
      const again = await Promise.all([1, 2, 3].map((number) => sender.put(number)));
      expect(again).toEqual(first);
      await sender.changeLeader();
    }
    expect(await sender.stored()).toEqual([1, 2, 3]);
    await sender.api.close();
  });

  it("that comes again while it is on its way is appended once", async () => {
    const sender = await Sender.open();
    const [one, other] = await Promise.all([sender.put(1), sender.put(1)]);
    expect(other).toEqual(one);
    expect(await sender.stored()).toEqual([1]);
    await sender.api.close();
  });

  it("is asked for again by a leader that did not get what went before", async () => {
    const sender = await Sender.open();
    await sender.put(1);
    sender.api.platform.stores.faults.add({ kind: "crash-not-written", nth: 1 });
    await failureOf(sender.put(2));
    await sender.changeLeader();
    expect((await failureOf(sender.put(3))).value).toBe(2);
    await sender.put(2);
    await sender.put(3);
    expect(await sender.stored()).toEqual([1, 2, 3]);
    await sender.api.close();
  });

  it("may follow what its producer gave up", async () => {
    const sender = await Sender.open();
    await sender.put(1);
    await sender.put(5, { settledBefore: 5 });
    expect((await failureOf(sender.put(3))).name).toBe("IndeterminateError");
    expect(await sender.stored()).toEqual([1, 5]);
    await sender.api.close();
  });

  it("with an order that cannot be is refused", async () => {
    const sender = await Sender.open();
    for (const [order, argument] of [
      [{ settledBefore: 3 }, "order.settledBefore"],
      [{ settledBefore: 0 }, "order.settledBefore"],
      [{ settledBefore: 1.5 }, "order.settledBefore"],
      [{ ageMs: -1 }, "order.ageMs"],
      [{ ageMs: Number.NaN }, "order.ageMs"],
    ] as const) {
      const failure = await failureOf(sender.put(2, order));
      expect(failure).toMatchObject({ code: "InvalidArgumentException", argument });
    }
    await sender.api.close();
  });

  it("of a producer that nobody knows is taken when all before it are settled", async () => {
    const sender = await Sender.open();
    await sender.put(4, { settledBefore: 4, ageMs: 11 * HOUR_MS });
    expect(await sender.stored()).toEqual([4]);
    await sender.api.close();
  });
});

describe("a batch that was refused", () => {
  it("is refused alike when it comes again, and later ones follow it", async () => {
    const sender = await Sender.open();
    const { api, stream } = sender;
    const call = callOf("PutRecords", "arn:aws:iam::999999999999:user/stranger");
    const put = (batchNumber: number, who = call) => {
      const records = someRecords(1, 100, batchNumber);
      const batch = buildBatch({ streamUid: stream.uid, batchNumber, records, producer: 9 });
      return api.service.put(batch, who, { settledBefore: 1, ageMs: 0 });
    };
    expect((await failureOf(put(1))).code).toBe("AccessDeniedException");
    await put(2, callOf("PutRecords"));
    expect((await failureOf(put(1, callOf("PutRecords")))).code).toBe("AccessDeniedException");
    expect(await sender.stored()).toEqual([2]);
    await api.close();
  });

  it("with its frame stays refused, while what came behind it goes on", async () => {
    const sender = await Sender.open();
    sender.api.platform.stores.faults.add({ kind: "abort", nth: 1, operations: ["appendFrame"] });
    const failure = await failureOf(sender.put(1));
    const repeated = await failureOf(sender.put(1));
    expect(repeated.message).toBe(failure.message);
    await sender.put(2);
    await sender.changeLeader();
    // Its answer may have been lost with the leader: the next one knows only that a later one is there.
    expect((await failureOf(sender.put(1))).name).toBe("IndeterminateError");
    await sender.put(3);
    expect(await sender.stored()).toEqual([2, 3]);
    await sender.api.close();
  });

  it("may still go into another stream than those that went ahead of it", async () => {
    const sender = await Sender.open();
    const other = await sender.api.engine.createStream("other");
    sender.api.platform.stores.faults.add({ kind: "abort", nth: 1, operations: ["appendFrame"] });
    await failureOf(sender.putTo(other, 1));
    await sender.put(2);
    await sender.changeLeader();
    await sender.putTo(other, 1);
    await sender.put(2);
    expect(await sender.stored()).toEqual([2]);
    expect((await sender.api.engine.readAll(other)).map(numberOf)).toEqual([1]);
    await sender.api.close();
  });
});

describe("batches under way", () => {
  it("keep their order over a change of leader, whatever of them was committed", async () => {
    const numbers = Array.from({ length: 8 }, (_, i) => i + 1);
    for (let nth = 1; nth <= 6; nth++) {
      const sender = await Sender.open();
      const until = new Promise<void>(() => undefined);
      const operations = ["appendFrame"] as const;
      sender.api.platform.stores.faults.add({ kind: "none", nth, operations, until });
      const answers = new Map<number, TestResultRow[]>();
      for (const number of numbers) {
        void sender.put(number).then((rows) => answers.set(number, rows));
        await turns(number % 3);
      }
      await turns();
      expect(answers.size).toBeLessThan(numbers.length);
      await sender.changeLeader();
      for (const number of numbers) {
        const rows = await sender.put(number);
        expect(rows).toEqual(answers.get(number) ?? rows);
      }
      expect(await sender.stored(), `frame ${nth}`).toEqual(numbers);
      await sender.api.close();
    }
  });

  it("are found again by a client that had a thousand of them", async () => {
    const platform = virtualPlatform();
    const api = await ApiEngine.open({}, platform);
    const stream = await api.engine.createStream();
    const put = (engine: ApiEngine, batchNumber: number) => {
      const records = someRecords(1, 8, batchNumber);
      const batch = buildBatch({ streamUid: stream.uid, batchNumber, records, producer: 7 });
      return engine.service.put(batch, undefined, { settledBefore: 1, ageMs: 0 });
    };
    const numbers = Array.from({ length: 1000 }, (_, i) => i + 1);
    const first = await Promise.all(numbers.map((number) => put(api, number)));
    const next = await ApiEngine.open({}, platform.restart());
    const again = await Promise.all(numbers.map((number) => put(next, number)));
    expect(again.map((result) => readResult(result))).toEqual(
      first.map((result) => readResult(result)),
    );
    expect(await next.engine.readAll(stream)).toHaveLength(1000);
    await next.close();
  });
});
