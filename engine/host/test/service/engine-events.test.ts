/** What an engine tells without being asked, over its lives and leaders. */
import { describe, expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { EngineEvents } from "../../src/service/engine-events.ts";
import type { EngineEvent } from "../../src/service/engine-service.ts";
import { ApiEngine, turns } from "../support/api-calls.ts";
import { someRecords } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";

const full: EngineEvent = { kind: "storage-full", atMs: 0, full: true };
const room: EngineEvent = { kind: "storage-full", atMs: 0, full: false };

function begun(epoch = 1) {
  const { clock } = virtualPlatform();
  const events = new EngineEvents(clock);
  events.begin(epoch, []);
  return { clock, events };
}

describe("events", () => {
  it("are told from now on, and then from where the last poll ended", async () => {
    const { events } = begun();
    events.emit(full);
    const { cursor } = await events.after(null, 0);
    events.emit(room);
    events.emit(full);
    const page = await events.after(cursor, 0);
    expect(page.events).toEqual([room, full]);
    expect((await events.after(page.cursor, 0)).events).toEqual([]);
    expect((await events.after(cursor, 0)).events).toEqual([room, full]);
  });

  it("are waited for, and not for longer than asked", async () => {
    const { clock, events } = begun();
    const { cursor } = await events.after(null, 0);
    const waiting = events.after(cursor, 10_000);
    const late = events.after(cursor, 1000);
    await clock.advance(1000);
    expect((await late).events).toEqual([]);
    events.emit(full);
    expect((await waiting).events).toEqual([full]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("of a new epoch are all told to whoever comes from another one", async () => {
    const { events } = begun(3);
    const { cursor } = await events.after(null, 0);
    events.emit(full);
    const waiting = events.after({ epoch: 3, nextEvent: 1 }, 1000);
    const loss = { kind: "log", where: "x", reason: "y", recordCount: undefined } as const;
    events.begin(5, [loss]);
    const told = [{ kind: "data-loss", atMs: expect.any(Number), report: loss }];
    expect((await waiting).events).toEqual(told);
    expect((await events.after(cursor, 0)).events).toEqual([full, ...told]);
    expect(await events.after({ epoch: 2, nextEvent: 9 }, 0)).toMatchObject({
      ...{ cursor: { epoch: 5, nextEvent: 1 }, events: [full, ...told] },
    });
  });

  it("do not keep a poll from another epoch waiting, which has to learn where it is", async () => {
    const { events } = begun(3);
    expect(await events.after({ epoch: 2, nextEvent: 4 }, 60_000)).toEqual({
      ...{ cursor: { epoch: 3, nextEvent: 0 }, events: [] },
    });
  });

  it("are kept up to a thousand", async () => {
    const { events } = begun();
    for (let i = 0; i < 1500; i++) events.emit({ ...full, atMs: i });
    const { events: kept, cursor } = await events.after({ epoch: 1, nextEvent: 0 }, 0);
    expect(kept.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 500));
    expect(cursor).toEqual({ epoch: 1, nextEvent: 1500 });
  });

  it("are refused for a place or a wait that cannot be", async () => {
    const { events } = begun();
    for (const [place, waitMs] of [
      [null, -1],
      [null, Number.NaN],
      [null, 2 ** 31],
      [{ epoch: 0.5, nextEvent: 0 }, 0],
      [{ epoch: 1, nextEvent: Number.NaN }, 0],
    ] as const) {
      const failure = await failureOf(events.after(place, waitMs));
      expect(failure.code).toBe("InvalidArgumentException");
    }
  });
});

describe("an engine's events", () => {
  it("tell the losses that its recovery found, once per leader", async () => {
    const platform = virtualPlatform();
    const first = await ApiEngine.open({}, platform);
    const stream = await first.engine.createStream();
    await first.put(stream, someRecords(3));
    await first.put(stream, someRecords(3));
    const disk = platform.stores.disk("test");
    disk.overwriteFrame(disk.frameNumbers().at(-1) ?? 0, new Uint8Array(64));
    const second = await ApiEngine.open({}, platform.restart());
    const { events, cursor } = await second.service.call("events", {
      after: { epoch: 1, nextEvent: 0 },
      waitMs: 1000,
    });
    const losses = await second.service.call("dataLoss", {});
    expect(losses.length).toBeGreaterThan(0);
    expect(events).toEqual(
      losses.map((report) => ({ kind: "data-loss", atMs: platform.clock.nowMs(), report })),
    );
    expect(await second.service.call("events", { after: cursor, waitMs: 0 })).toMatchObject({
      events: [],
    });
    await second.close();
  });

  it("let go of who waits when the engine closes", async () => {
    const api = await ApiEngine.open();
    const { cursor } = await api.service.call("events", { after: null, waitMs: 0 });
    const waiting = api.service.call("events", { after: cursor, waitMs: 60_000 });
    await turns();
    await api.close();
    expect((await waiting).events).toEqual([]);
    const failure = await failureOf(api.service.call("events", { after: cursor, waitMs: 0 }));
    expect(failure.code).toBe("EngineClosedException");
  });
});
