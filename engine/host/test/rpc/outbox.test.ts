import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BackpressureError } from "../../src/errors/index.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { Outbox } from "../../src/rpc/outbox.ts";

function makeOutbox(bytesMax = 100): { outbox: Outbox; clock: VirtualClock; log: string[] } {
  const clock = new VirtualClock(0);
  return { outbox: new Outbox({ clock, bytesMax, waitMsMax: 1000 }), clock, log: [] };
}

describe("Outbox", () => {
  it("sends at once while there is room, then in the order of the calls", () => {
    const { outbox, log } = makeOutbox();
    const admit = (name: string, byteLength: number) =>
      outbox.admit(
        byteLength,
        () => log.push(name),
        () => log.push(`${name} refused`),
      );
    admit("a", 60);
    admit("b", 60);
    admit("c", 10);
    expect(log).toEqual(["a"]);
    outbox.release(60);
    expect(log).toEqual(["a", "b", "c"]);
    expect(outbox.bytes).toBe(70);
  });

  it("lets a batch larger than itself go when it is alone", () => {
    const { outbox, log } = makeOutbox();
    outbox.admit(
      500,
      () => log.push("large"),
      () => log.push("refused"),
    );
    outbox.admit(
      1,
      () => log.push("small"),
      () => log.push("refused"),
    );
    expect(log).toEqual(["large"]);
    outbox.release(500);
    expect(log).toEqual(["large", "small"]);
  });

  it("refuses with a BackpressureError when the wait takes too long", () => {
    const { outbox, clock } = makeOutbox();
    let reason: unknown;
    outbox.admit(
      100,
      () => undefined,
      () => undefined,
    );
    outbox.admit(
      1,
      () => undefined,
      (error) => {
        reason = error;
      },
    );
    clock.advanceBy(999);
    expect(reason).toBeUndefined();
    clock.advanceBy(1);
    expect(reason).toBeInstanceOf(BackpressureError);
    expect(reason).toMatchObject({ limit: 100, retryable: true, indeterminate: false });
  });

  it("lets the next one go when the first in the queue gives up", () => {
    const { outbox, log } = makeOutbox();
    const controller = new AbortController();
    outbox.admit(
      90,
      () => log.push("a"),
      () => undefined,
    );
    outbox.admit(
      50,
      () => log.push("b"),
      (reason) => log.push(`b: ${reason}`),
      controller.signal,
    );
    outbox.admit(
      10,
      () => log.push("c"),
      () => undefined,
    );
    controller.abort("enough");
    expect(log).toEqual(["a", "b: enough", "c"]);
    outbox.admit(
      1,
      () => log.push("d"),
      (reason) => log.push(`d: ${reason}`),
      controller.signal,
    );
    expect(log.at(-1)).toBe("d: enough");
  });

  it("leaves no timer behind", () => {
    const { outbox, clock } = makeOutbox();
    outbox.admit(
      100,
      () => undefined,
      () => undefined,
    );
    for (let i = 0; i < 5; i++)
      outbox.admit(
        100,
        () => outbox.release(100),
        () => undefined,
      );
    expect(clock.pendingTimers).toBe(5);
    outbox.release(100);
    expect(clock.pendingTimers).toBe(0);
  });

  it("never holds more than its bound, loses nothing and keeps the order", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(sizes, fc.array(fc.nat()), (batches, choices) => {
        const { outbox } = makeOutbox();
        const sent: number[] = [];
        const flying: number[] = [];
        const release = (choice: number): void => {
          const [size] = flying.splice(choice % Math.max(1, flying.length), 1);
          if (size !== undefined) outbox.release(size);
        };
        for (const [i, size] of batches.entries()) {
          const send = (): void => {
            sent.push(i);
            flying.push(size);
          };
          outbox.admit(size, send, () => expect.unreachable());
          expect(outbox.bytes).toBeLessThanOrEqual(100);
          const choice = choices[i];
          if (choice !== undefined) release(choice);
        }
        while (flying.length > 0) release(0);
        expect(sent).toEqual(batches.map((_, i) => i));
        expect(outbox.bytes).toBe(0);
        expect(outbox.waitingCount).toBe(0);
      }),
    );
  });
});
