/** Groups that are set back while a worker comes: what it took in between stays its own, unless it is taken by force. */
import { describe, expect, it } from "vitest";
import { failureOf } from "../../support.ts";
import { MemoryLeases } from "../memory-leases.ts";
import { openRunning } from "../running-clock.ts";
import { startServe } from "../support.ts";
import { groupOf, put } from "./support.ts";

const SHARD_0 = "shardId-000000000000";

/** A table of which a worker takes the first lease as soon as it was looked at once. */
class TakenLeases extends MemoryLeases {
  watched = false;

  override async list(signal?: AbortSignal) {
    const rows = await super.list(signal);
    if (this.watched) this.#take();
    this.watched = false;
    return rows;
  }

  #take(): void {
    const row = this.rows.get(SHARD_0);
    if (row === undefined) throw new Error("there is no lease");
    const taken = { owner: "worker", counter: row.counter + 1, checkpoint: "17" };
    this.rows.set(SHARD_0, { ...row, ...taken });
  }

  get shown(): string[] {
    return [...this.rows.values()].map(({ leaseKey, owner, checkpoint }) =>
      [leaseKey.slice(-1), owner, checkpoint].join(" "),
    );
  }
}

async function openGroup({ split = false } = {}) {
  const remote = await openRunning((await startServe()).url);
  const stream = await remote.streams.create("clicks");
  await put(stream, 0, 5);
  if (split) await stream.split(SHARD_0);
  const leases = new TakenLeases();
  const group = await groupOf(stream, leases);
  leases.watched = true;
  return { group, leases };
}

describe("a reset", () => {
  it.each([
    ["a group", {}],
    ["a lease", { shardId: SHARD_0 }],
  ])("of %s is refused when a worker takes the lease meanwhile", async (_what, options) => {
    const { group, leases } = await openGroup();
    expect(await failureOf(group.reset("TRIM_HORIZON", options))).toMatchObject({
      name: "ResourceInUseError",
      message: expect.stringContaining("owned by worker"),
    });
    expect(leases.shown).toEqual(["0 worker 17"]);
  });

  it("takes the lease all the same when it is to", async () => {
    const { group, leases } = await openGroup();
    await group.reset("TRIM_HORIZON", { force: true });
    expect(leases.shown).toEqual(["0  TRIM_HORIZON"]);
  });

  it("leaves a lease that would go, and that a worker took meanwhile", async () => {
    const { group, leases } = await openGroup({ split: true });
    expect(leases.rows.size).toBe(3);
    expect(await failureOf(group.reset("LATEST"))).toMatchObject({ name: "ResourceInUseError" });
    expect(leases.shown[0]).toBe("0 worker 17");
    leases.watched = true;
    await group.reset("LATEST", { force: true });
    expect([...leases.rows.keys()]).toEqual(["shardId-000000000001", "shardId-000000000002"]);
  });
});
