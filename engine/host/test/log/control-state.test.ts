/** The control state: any sequence of records and its snapshot come to the same, and the ring stays whole. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ControlRecord, DocumentValue } from "../../src/log/control-records.ts";
import { ControlState } from "../../src/log/control-state.ts";
import { ringProblem } from "../../src/log/shard-ring.ts";
import { UidRanges } from "../../src/log/uid-ranges.ts";
import { hexKey, middleOf, RING_END } from "../support/logs.ts";

function created(uid: number, shardUid: number, name: string): ControlRecord {
  const shard = { startingHashKey: hexKey(0n), endingHashKey: hexKey(RING_END) };
  return {
    kind: "stream-created",
    stream: {
      uid,
      name,
      createdMs: 1000,
      retentionHours: 24,
      recordKibMax: 1024,
      mode: "PROVISIONED",
      distribution: "USER_PARTITION_KEY",
      writeCapacity: null,
      durability: "strict",
      whenFull: "refuse-new",
      nextShardIndex: 1,
      shards: [{ ...shard, uid: shardUid, shardIndex: 0, createdSeconds: 1 }],
    },
  };
}

/** A split or merge of some open shards of a stream, chosen by a number. */
function resharded(state: ControlState, streamUid: number, choice: number): ControlRecord {
  const stream = state.stream(streamUid);
  if (stream === undefined) throw new Error("no stream");
  const open = stream.shards
    .filter(({ closedMs }) => closedMs === undefined)
    .sort((a, b) => (a.startingHashKey < b.startingHashKey ? -1 : 1));
  const at = choice % open.length;
  const [first, second] = [open[at], open[at + 1]];
  if (first === undefined) throw new Error("no shard");
  const common = { createdSeconds: 2 + choice, parentShardIndex: first.shardIndex };
  const [uid, shardIndex] = [state.nextShardUid, stream.nextShardIndex];
  const { startingHashKey } = first;
  const merge = second !== undefined && choice % 2 === 0;
  const middle = middleOf(first);
  return {
    kind: "stream-resharded",
    streamUid,
    atMs: choice,
    closed: merge ? [first.uid, second.uid] : [first.uid],
    opened: merge
      ? [{ ...common, uid, shardIndex, startingHashKey, endingHashKey: second.endingHashKey }]
      : [
          { ...common, uid, shardIndex, startingHashKey, endingHashKey: hexKey(middle - 1n) },
          {
            ...common,
            uid: uid + 1,
            shardIndex: shardIndex + 1,
            startingHashKey: hexKey(middle),
            endingHashKey: first.endingHashKey,
          },
        ],
  };
}

const step = fc.record({ what: fc.integer({ min: 0, max: 11 }), choice: fc.nat(1000) });
const KEYS = ["a", "stream/1/tags", "stream/1/policy", "stream/10/tags", "stream/2/tags", "ß"];

function recordFor(state: ControlState, what: number, choice: number): ControlRecord | undefined {
  const streams = [...state.streams()];
  const stream = streams[choice % Math.max(1, streams.length)];
  const key = KEYS[choice % KEYS.length] ?? "a";
  if (what === 0 || stream === undefined) {
    return created(state.nextStreamUid, state.nextShardUid, `stream-${choice % 3}`);
  }
  if (what === 1) return { kind: "stream-deleted", streamUid: stream.uid };
  if (what === 2) return { kind: "document-put", key, value: { choice } };
  if (what === 3) return { kind: "document-deleted", key };
  if (what === 4) {
    const settings = { retentionHours: choice, mode: "ON_DEMAND" } as const;
    return { kind: "stream-updated", streamUid: stream.uid, settings };
  }
  if (what === 5) {
    const closed = stream.shards.filter(({ closedMs }) => closedMs !== undefined);
    return { kind: "shards-expired", shardUids: closed.slice(0, 2).map(({ uid }) => uid) };
  }
  if (what === 6) {
    const shardUid = stream.shards[0]?.uid ?? 0;
    return { kind: "shard-trimmed", shardUid, beforeIndex: choice, throughOrdinal: choice };
  }
  return resharded(state, stream.uid, choice);
}

describe("the control state", () => {
  it("is the same after its records, after its snapshot as JSON, and in a fork", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(59), (steps, at) => {
        const state = new ControlState();
        let other = new ControlState();
        for (const [i, { what, choice }] of steps.entries()) {
          const record = recordFor(state, what, choice);
          if (record === undefined) continue;
          state.apply(record);
          other.apply(JSON.parse(JSON.stringify(record)) as ControlRecord);
          if (i === at) {
            const fork = other.fork();
            const restored = new ControlState();
            restored.restore(JSON.parse(JSON.stringify(other.snapshot(() => 0))));
            expect(fork.snapshot(() => 0)).toEqual(other.snapshot(() => 0));
            other = restored;
          }
          for (const stream of state.streams()) expect(ringProblem(stream.shards)).toBeUndefined();
        }
        expect(other.snapshot(() => 0)).toEqual(state.snapshot(() => 0));
        expect([...other.streams()]).toEqual([...state.streams()]);
        for (const prefix of ["", "stream/", "stream/1", "stream/1/", "x"]) {
          expect(other.documentKeys(prefix)).toEqual(state.documentKeys(prefix));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("gives no uid, index or creation time twice", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const state = new ControlState();
        const uids = new Set<number>();
        const indexes = new Set<string>();
        for (const { what, choice } of steps) {
          const record = recordFor(state, what, choice);
          if (record === undefined) continue;
          state.apply(record);
          const [streamUid, shards] =
            record.kind === "stream-resharded"
              ? [record.streamUid, record.opened]
              : record.kind === "stream-created"
                ? [record.stream.uid, record.stream.shards]
                : [0, []];
          for (const { uid, shardIndex } of shards) {
            expect(uids.has(uid)).toBe(false);
            expect(indexes.has(`${streamUid}/${shardIndex}`)).toBe(false);
            uids.add(uid);
            indexes.add(`${streamUid}/${shardIndex}`);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("lists the keys of documents as a naive filter and sort does", () => {
    const key = fc.string({ maxLength: 4, unit: fc.constantFrom("a", "b", "/", "é", "\u{1f600}") });
    const change = fc.tuple(key, fc.boolean());
    fc.assert(
      fc.property(fc.array(change), key, (changes, prefix) => {
        const state = new ControlState();
        const model = new Map<string, DocumentValue>();
        for (const [i, [name, put]] of changes.entries()) {
          if (put) model.set(name, i);
          else model.delete(name);
          state.apply(
            put
              ? { kind: "document-put", key: name, value: i }
              : { kind: "document-deleted", key: name },
          );
          expect(state.documentKeys(prefix)).toEqual(
            [...model.keys()].filter((one) => one.startsWith(prefix)).sort(),
          );
        }
        for (const [name, value] of model) expect(state.document(name)).toBe(value);
      }),
    );
  });

  it("remembers what was deleted as a naive set does, in as few ranges as can be", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40)), (uids) => {
        const ranges = new UidRanges();
        for (const uid of uids) ranges.add(uid);
        const model = new Set(uids);
        for (let uid = 0; uid <= 42; uid++) expect(ranges.has(uid)).toBe(model.has(uid));
        const starts = [...model].filter((uid) => !model.has(uid - 1)).sort((a, b) => a - b);
        expect(ranges.ranges().map(([first]) => first)).toEqual(starts);
      }),
    );
  });

  it("refuses the snapshot of a newer build and an unknown record", () => {
    const state = new ControlState();
    const snapshot = { ...state.snapshot(() => 0), version: 4 };
    expect(() => state.restore(snapshot)).toThrow("version 4");
    expect(() => state.apply({ kind: "shard-renamed" } as never)).toThrow("shard-renamed");
  });
});
