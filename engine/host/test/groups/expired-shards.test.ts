/** A group whose shard goes while it is worked on, and one that meets a defect. */
import { describe, expect, it } from "vitest";
import {
  InternalFailureError,
  InvalidArgumentError,
  LeaseLostError,
  ResourceNotFoundError,
} from "../../src/errors/index.ts";
import { checkEpoch, decideEpoch } from "../../src/groups/epoch-decision.ts";
import { Group } from "../../src/groups/group.ts";
import { describeGroup } from "../../src/groups/group-descriptions.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";

const LEASE = {
  ...{ checkpoint: { at: "TRIM_HORIZON" }, owner: { workerId: "one", memberId: null } },
  ...{ leaseCounter: 3, epoch: 0, epochCounter: 0, ownerSwitches: 0, startIndex: 0 },
};
const COMMIT = {
  ...{ groupName: "group", workerId: "one", state: [] },
  checkpoints: [
    { shardIndex: 0, leaseCounter: 3, epoch: 1, checkpoint: { index: 5, subSequenceNumber: 0 } },
  ],
};
const SHARD = { uid: 7, slot: 0, shardIndex: 0, createdSeconds: 1 };

function groupOf() {
  const stored = { streamUid: 1, startingPosition: { type: "LATEST" } };
  const leases = {
    ...{ groupName: "group", stored, stream: { uid: 1, name: "clicks", shards: [] } },
    ...{ get: () => LEASE, all: () => new Map([[0, LEASE]]), expiries: () => new Map() },
  };
  return { leases, workers: [], statusOf: () => "owned", ownerOf: () => null };
}

describe("a shard that expires", () => {
  it("takes the lease with it that an epoch is about", () => {
    const log = { slots: { ofStream: () => [] } };
    const decide = () => decideEpoch({ log } as never, groupOf().leases as never, COMMIT);
    expect(decide).toThrow(LeaseLostError);
  });

  it("while its group is described leaves nothing behind the checkpoint", async () => {
    const gone = Promise.reject(new ResourceNotFoundError("gone"));
    const slots = { ofStream: () => [SHARD], ofUid: () => undefined };
    const sources = { log: { slots, trimHorizon: () => gone }, clock: new VirtualClock(0) };
    const { leases } = await describeGroup(sources as never, groupOf() as never);
    expect(leases).toMatchObject([{ shardIndex: 0, lagRecords: 0, iteratorAgeMs: 0 }]);
  });
});

describe("a group that meets a defect", () => {
  it("ends, and says why", async () => {
    const documents = {
      get: () => {
        throw new TypeError("a defect");
      },
    };
    const log = { failure: undefined };
    const group = new Group({ documents, log, clock: new VirtualClock(0) } as never, "group");
    group.kick();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(group.leases.failure).toBeInstanceOf(InternalFailureError);
  });
});

describe("an epoch that cannot be", () => {
  const entry = { shardIndex: 0, key: "sum", value: 1 };
  it.each([
    ["nothing", null],
    ["a checkpoint that is nothing", { ...COMMIT, checkpoints: [null] }],
    ["state that is nothing", { ...COMMIT, state: [null] }],
    ["an entry of state twice", { ...COMMIT, state: [entry, { ...entry, value: 2 }] }],
  ])("is refused: %s", (_, commit) => {
    expect(() => checkEpoch(commit as never)).toThrow(InvalidArgumentError);
    expect(
      checkEpoch({ ...COMMIT, state: [entry, { ...entry, shardIndex: 1 }] }).state,
    ).toHaveLength(2);
  });
});
