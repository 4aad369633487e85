/** What is known of segments besides their keys: in the control state, in its snapshots and in the directory. */
import { describe, expect, it } from "vitest";
import type { ControlRecord } from "../../src/log/control-records.ts";
import type { SegmentFacts } from "../../src/log/control-snapshot.ts";
import { ControlState } from "../../src/log/control-state.ts";
import { SegmentDirectory } from "../../src/log/segment-directory.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import type { SegmentKey } from "../../src/storage/log-store.ts";

const SHARD_UID = 1;

function keyOf(ordinal: number): SegmentKey {
  return [SHARD_UID, ordinal, ordinal * 10, ordinal * 10, ordinal * 10 + 5, 1];
}

function factsOf(ordinal: number): SegmentFacts {
  return [1000 + ordinal, ordinal, ordinal * 10 + 9];
}

function sealing(ordinal: number): ControlRecord {
  const [byteLength, recordCount, lastIndex] = factsOf(ordinal);
  const key = keyOf(ordinal);
  return { kind: "segments-sealed", segments: [{ key, byteLength, recordCount, lastIndex }] };
}

function newState(): ControlState {
  const state = new ControlState();
  const range = { startingHashKey: "0".repeat(32), endingHashKey: "f".repeat(32) };
  state.apply({
    kind: "stream-created",
    stream: {
      ...{ uid: 1, name: "clicks", createdMs: 0, retentionHours: 24, recordKibMax: 1024 },
      ...{ mode: "PROVISIONED", distribution: "USER_PARTITION_KEY", writeCapacity: null },
      ...{ durability: "strict", whenFull: "refuse-new", nextShardIndex: 1 },
      shards: [{ uid: SHARD_UID, shardIndex: 0, createdSeconds: 0, ...range }],
    },
  });
  return state;
}

/** The directory that a leader makes of a state and the keys of its live segments. */
function directoryOf(state: ControlState): SegmentDirectory {
  const shard = state.shard(SHARD_UID);
  const { sealedThrough = 0, trimmedThrough = 0 } = shard ?? {};
  const keys = Array.from({ length: sealedThrough - trimmedThrough }, (_, i) =>
    keyOf(trimmedThrough + 1 + i),
  );
  return SegmentDirectory.scan(keys, state.shards()).directory;
}

describe("the facts of segments", () => {
  it("follow what is sealed and trimmed, over snapshots, whatever the order", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = new SeededRandom(seed);
      const draw = (below: number): number => (random.fill(new Uint8Array(1))[0] ?? 0) % below;
      let state = newState();
      let sealed = 0;
      let trimmed = 0;
      for (let step = 0; step < 60; step++) {
        const action = draw(5);
        if (action < 3) state.apply(sealing(++sealed));
        else if (action < 4) {
          trimmed += draw(sealed - trimmed + 1);
          const range = { beforeIndex: trimmed * 10 + 10, throughOrdinal: trimmed };
          state.apply({ kind: "shard-trimmed", shardUid: SHARD_UID, ...range });
        } else {
          const stored = JSON.stringify(state.snapshot(() => 0));
          state = newState();
          state.restore(JSON.parse(stored));
        }
        const live = Array.from({ length: sealed - trimmed }, (_, i) => trimmed + 1 + i);
        expect(state.shard(SHARD_UID)?.segments).toEqual(live.map(factsOf));
        const directory = directoryOf(state);
        expect(directory.byteLength).toBe(live.reduce((sum, one) => sum + factsOf(one)[0], 0));
        for (const one of live) expect(directory.factsOf(keyOf(one))).toEqual(factsOf(one));
        expect(directory.unknown()).toEqual([]);
      }
    }
  });

  it("are unknown for the older segments of an older snapshot, and known for the newer ones", () => {
    const state = newState();
    for (let ordinal = 1; ordinal <= 3; ordinal++) state.apply(sealing(ordinal));
    const { shards, ...snapshot } = state.snapshot(() => 0);
    const older = shards.map(({ segments: _, ...shard }) => shard);
    const next = new ControlState();
    next.restore({ ...snapshot, version: 2, shards: older });
    next.apply(sealing(4));
    const directory = directoryOf(next);
    expect(directory.unknown()).toEqual([1, 2, 3].map(keyOf));
    expect(directory.byteLength).toBe(factsOf(4)[0]);
    directory.note(keyOf(2), factsOf(2));
    directory.note(keyOf(2), factsOf(2));
    expect(directory.byteLength).toBe(factsOf(4)[0] + factsOf(2)[0]);
    directory.trimThrough(SHARD_UID, 2);
    expect(directory.byteLength).toBe(factsOf(4)[0]);
    directory.drop(SHARD_UID);
    expect(directory.byteLength).toBe(0);
  });

  it("are not given to the wrong segment where a declaration was lost", () => {
    const state = newState();
    state.apply(sealing(1));
    state.apply(sealing(3));
    const directory = directoryOf(state);
    expect(directory.factsOf(keyOf(1))).toBeUndefined();
    expect(directory.factsOf(keyOf(3))).toEqual(factsOf(3));
  });
});
