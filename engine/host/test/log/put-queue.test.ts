/** Batches that wait: two lanes, and no batch of a stream overtakes another one of it. */
import { describe, expect, it } from "vitest";
import type { Waiting, WaitingPut } from "../../src/log/pending-put.ts";
import { type Lane, PutQueue } from "../../src/log/put-queue.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";

interface NumberedPut extends WaitingPut {
  readonly number: number;
}

function put(number: number, streamUid: number, byteLength = 10): NumberedPut {
  const append = (): undefined => undefined;
  return { number, streamUid, byteLength, recordCount: 1, append, reject: () => undefined };
}

const numberOf = (waiting: Waiting | undefined): number =>
  waiting !== undefined && "number" in waiting ? Number(waiting.number) : -1;

describe("the queue of batches", () => {
  it("keeps the lanes apart, and tells what came first", () => {
    const queue = new PutQueue();
    queue.add(put(1, 7), "strict");
    queue.add(put(2, 8), "relaxed");
    expect(queue.byteLength).toBe(20);
    const [strict, relaxed] = [queue.head("strict"), queue.head("relaxed")];
    expect([numberOf(strict?.put), numberOf(relaxed?.put)]).toEqual([1, 2]);
    expect((strict?.place ?? 9) < (relaxed?.place ?? 0)).toBe(true);
    queue.take("strict");
    queue.take("relaxed");
    expect(queue.empty).toBe(true);
    expect(queue.byteLength).toBe(0);
  });

  it("keeps a stream in its lane while batches of it wait, and no longer", () => {
    const queue = new PutQueue();
    queue.add(put(1, 7), "relaxed");
    queue.add(put(2, 7), "strict");
    expect(queue.head("strict")).toBeUndefined();
    queue.take("relaxed");
    expect(numberOf(queue.head("relaxed")?.put)).toBe(2);
    queue.take("relaxed");
    queue.add(put(3, 7), "strict");
    expect(numberOf(queue.head("strict")?.put)).toBe(3);
  });

  it("takes back what it gave, before all others and in order", () => {
    const queue = new PutQueue();
    queue.add(put(3, 7), "strict");
    queue.putBack([put(1, 7), put(2, 8)], ({ streamUid }) =>
      streamUid === 8 ? "relaxed" : "strict",
    );
    expect(queue.drain().map(numberOf)).toEqual([1, 2, 3]);
    expect(queue.byteLength).toBe(0);
  });

  it("never lets a batch overtake one of its stream, whatever comes and goes", () => {
    const random = new SeededRandom(7);
    const draw = (below: number): number => (random.fill(new Uint8Array(1))[0] ?? 0) % below;
    for (let run = 0; run < 50; run++) {
      const queue = new PutQueue();
      const left = new Map<number | undefined, number>();
      const lanes: readonly Lane[] = ["strict", "relaxed"];
      let taken: Waiting[] = [];
      let next = 1;
      const note = (one: Waiting): void => {
        expect(numberOf(one)).toBeGreaterThan(left.get(one.streamUid) ?? 0);
        left.set(one.streamUid, numberOf(one));
      };
      for (let step = 0; step < 200; step++) {
        const action = draw(5);
        if (action < 3) queue.add(put(next++, draw(4)), lanes[draw(2)] ?? "strict");
        else if (action === 3) {
          const lane = lanes[draw(2)] ?? "strict";
          const head = queue.head(lane);
          queue.take(lane);
          if (head !== undefined) taken.push(head.put);
        } else if (draw(2) === 0) {
          for (const one of taken) note(one);
          taken = [];
        } else {
          queue.putBack(taken, () => lanes[draw(2)] ?? "strict");
          taken = [];
        }
      }
      for (const one of [...taken, ...queue.drain()]) note(one);
    }
  });
});
