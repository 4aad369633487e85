/** What a worker remembers of leases that it has no more. */
import type { OwnedLease } from "@millrace/engine";
import { describe, expect, it } from "vitest";
import type { HeldLease } from "../../src/groups/held-lease.ts";
import { HeldLeases } from "../../src/groups/held-leases.ts";
import type { ShardConsumer } from "../../src/groups/shard-consumer.ts";
import { until } from "./support.ts";

/** A lease as the leader gives it. */
function owned(leaseCounter: number): OwnedLease {
  return {
    ...{ shardId: "shardId-000000000000", shardIndex: 0, streamUid: 1, leaseCounter, epoch: 0 },
    ...{ checkpoint: { at: "TRIM_HORIZON" }, pendingCheckpoint: null, nextIndex: 0 },
    ...{ state: { large: "x" }, handOver: false },
  };
}

describe("leases that are over", () => {
  it("are given back again while the leader names them, without their state, and forgotten after", async () => {
    const released: unknown[] = [];
    const begun: HeldLease[] = [];
    const leases = new HeldLeases({
      begin: (lease) => {
        begun.push(lease);
        const ended = Promise.resolve("shut-down" as const);
        return { lease, ended, settled: ended, requestShutdown: () => undefined } as Pick<
          ShardConsumer,
          "lease" | "ended" | "settled" | "requestShutdown"
        > as ShardConsumer;
      },
      lost: () => undefined,
      release: (lease) => released.push(lease),
      failed: () => undefined,
    });
    leases.apply([owned(5)]);
    await until(() => released.length === 1);
    leases.apply([owned(5)]);
    expect(released).toEqual(Array(2).fill({ shardIndex: 0, leaseCounter: 5 }));
    expect(begun).toHaveLength(1);
    leases.apply([]);
    // What nobody remembers is begun as if it were new.
    leases.apply([owned(5)]);
    expect(begun).toHaveLength(2);
  });
});
