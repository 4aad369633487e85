/** Who is to own which lease: balanced within one, with as few changes as that takes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AssignableLease,
  type AssignableWorker,
  assign,
} from "../../src/groups/assignment.ts";

const ANY = Number.POSITIVE_INFINITY;

function workers(...ids: readonly string[]): AssignableWorker[] {
  return ids.map((workerId) => ({ workerId, leasesMax: ANY }));
}

/** Leases 0, 1, … with these owners. */
function leases(...owners: readonly (string | null)[]): AssignableLease[] {
  return owners.map((workerId, shardIndex) => ({ shardIndex, workerId, handingOver: false }));
}

describe("an assignment", () => {
  it("gives what nobody owns to whoever has fewest", () => {
    const { taken, handedOver } = assign(leases("a", "a", null, null), workers("a", "b"));
    expect(taken).toEqual([
      { shardIndex: 2, workerId: "b" },
      { shardIndex: 3, workerId: "b" },
    ]);
    expect(handedOver).toEqual([]);
  });

  it("asks for a lease only where another worker has two less", () => {
    expect(assign(leases("a", "a", "b"), workers("a", "b")).handedOver).toEqual([]);
    expect(assign(leases("a", "a", "a", "b"), workers("a", "b")).handedOver).toEqual([2]);
    expect(assign(leases("a"), workers("a", "b")).handedOver).toEqual([]);
  });

  it("keeps to what it has asked for", () => {
    const asked = leases("a", "a", "a", "b").map((lease) => ({
      ...lease,
      handingOver: lease.shardIndex === 0,
    }));
    expect(assign(asked, workers("a", "b")).handedOver).toEqual([0]);
  });

  it("leaves alone what belongs to a worker that is waited for", () => {
    const plan = assign(leases("a", "gone", "gone", "gone"), workers("a", "b"));
    expect(plan).toEqual({ taken: [], handedOver: [] });
  });

  it("takes no more from a worker than it must, and gives none more than it wants", () => {
    const small = [{ workerId: "a", leasesMax: 1 }, ...workers("b")];
    expect(assign(leases("a", "a", "b", null), small)).toEqual({
      taken: [{ shardIndex: 3, workerId: "b" }],
      handedOver: [1],
    });
    const tiny = [{ workerId: "a", leasesMax: 1 }];
    expect(assign(leases("a", "a", null), tiny)).toEqual({ taken: [], handedOver: [1] });
  });
});

const IDS = ["a", "b", "c", "d", "e", "f"] as const;
const someWorkers = fc.uniqueArray(
  fc.record({
    workerId: fc.constantFrom(...IDS),
    leasesMax: fc.oneof({ weight: 4, arbitrary: fc.constant(ANY) }, fc.integer({ min: 1, max: 5 })),
  }),
  { selector: ({ workerId }) => workerId, maxLength: 6 },
);
const someOwners = fc.array(fc.constantFrom(null, ...IDS), { maxLength: 30 });

/** Leases once a plan is carried out. */
function carriedOut(
  before: readonly AssignableLease[],
  { taken, handedOver }: ReturnType<typeof assign>,
): AssignableLease[] {
  return before.map((lease) => {
    const taker = taken.find(({ shardIndex }) => shardIndex === lease.shardIndex);
    if (taker !== undefined) return { ...lease, workerId: taker.workerId };
    return handedOver.includes(lease.shardIndex) ? { ...lease, workerId: null } : lease;
  });
}

describe("any assignment", () => {
  it("comes to rest in two steps, balanced within one, with the fewest moves", () => {
    fc.assert(
      fc.property(someWorkers, someOwners, (living, owners) => {
        const known = new Set<string | null>(living.map(({ workerId }) => workerId));
        // Owners who are not there are dead here.
        const before = leases(...owners.map((owner) => (known.has(owner) ? owner : null)));
        const first = assign(before, living);
        for (const { shardIndex } of first.taken) expect(before[shardIndex]?.workerId).toBeNull();
        const between = carriedOut(before, first);
        const second = assign(between, living);
        expect(second.handedOver).toEqual([]);
        const after = carriedOut(between, second);
        expect(assign(after, living)).toEqual({ taken: [], handedOver: [] });
        const count = (workerId: string): number =>
          after.filter((lease) => lease.workerId === workerId).length;
        const free = after.filter(({ workerId }) => workerId === null).length;
        for (const one of living) {
          expect(count(one.workerId)).toBeLessThanOrEqual(one.leasesMax);
          if (free > 0) expect(count(one.workerId)).toBe(one.leasesMax);
          for (const other of living) {
            const room = other.leasesMax > count(other.workerId);
            if (room) expect(count(one.workerId) - count(other.workerId)).toBeLessThanOrEqual(1);
          }
        }
        // Nobody gives a lease away and gets another one.
        for (const { workerId } of living) {
          const gave = first.handedOver.some((index) => before[index]?.workerId === workerId);
          const got = [...first.taken, ...second.taken].some((one) => one.workerId === workerId);
          expect(gave && got).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });
});
