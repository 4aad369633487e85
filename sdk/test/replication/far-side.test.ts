/** Which far side a replication's progress is of: each has its own, and none goes on with another one's. */
import { ResourceInUseError } from "millrace";
import { describe, expect, it } from "vitest";
import { nameFor, shortName } from "../../src/replication/far-side.ts";
import { replicateStream } from "../../src/replication/stream-replication.ts";
import { put } from "../groups/support.ts";
import {
  checkOrder,
  consume,
  drained,
  farStream,
  openEngine,
  otherTab,
  stopLater,
} from "./support.ts";

async function twoFarSides() {
  const local = await (await openEngine()).streams.ensure("clicks", { shards: 2 });
  const one = await farStream(await openEngine(), "clicks", 1, { endpoint: "http://one.test" });
  const two = await farStream(await openEngine(), "clicks", 1, { endpoint: "http://two.test" });
  return { local, one, two };
}

describe("two replications of a stream", () => {
  it("to streams of one name at two places ship all records to each", async () => {
    const { local, one, two } = await twoFarSides();
    const replications = [
      stopLater(await local.replicateTo(one.far)),
      stopLater(await local.replicateTo(two.far)),
    ];
    await put(local, 0, 100);
    for (const replication of replications) await drained(replication);
    checkOrder(await consume(one.inside, 100), 0, 100);
    checkOrder(await consume(two.inside, 100), 0, 100);
  });

  it("to two streams do not share a name, at once or one after the other", async () => {
    const { local, one, two } = await twoFarSides();
    const first = await local.replicateTo(one.far, { name: "same" });
    await expect(local.replicateTo(two.far, { name: "same" })).rejects.toBeInstanceOf(
      ResourceInUseError,
    );
    await put(local, 0, 10);
    await drained(first);
    await first.stop();
    await put(local, 10, 20);
    const refused = local.replicateTo(two.far, { name: "same" });
    await expect(refused).rejects.toBeInstanceOf(ResourceInUseError);
    await expect(refused).rejects.toMatchObject({ argument: "name", value: "same" });
    // The first far side's progress is as it was.
    await drained(stopLater(await local.replicateTo(one.far, { name: "same" })));
    checkOrder(await consume(one.inside, 20), 0, 20);
  });

  it("do not share a name in two tabs, and the wrong one takes nothing from the right one", async () => {
    const here = await openEngine();
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const one = await farStream(await openEngine(), "clicks", 1, { endpoint: "http://one.test" });
    const two = await farStream(await openEngine(), "clicks", 1, { endpoint: "http://two.test" });
    const first = stopLater(await local.replicateTo(one.far, { name: "same" }));
    await put(local, 0, 10);
    await drained(first);
    const wrong = replicateStream(otherTab(here), await local.describe(), two.far, {
      name: "same",
    });
    await expect(wrong).rejects.toBeInstanceOf(ResourceInUseError);
    for (const { shardId } of (await local.describe()).openShards) await local.split(shardId);
    await put(local, 10, 100);
    await drained(first);
    expect(await first.status()).toMatchObject({ state: "running", copiedRecords: 100 });
    // Who ships to the right one shares the work.
    stopLater(
      await replicateStream(otherTab(here), await local.describe(), one.far, { name: "same" }),
    );
    checkOrder(await consume(one.inside, 100), 0, 100);
  });

  it("is the same for a group that was set back, and for whoever comes first once it was deleted", async () => {
    const { local, one, two } = await twoFarSides();
    const first = await local.replicateTo(one.far, { name: "same" });
    await put(local, 0, 10);
    await drained(first);
    await first.stop();
    const group = await local.group("same", { from: "TRIM_HORIZON" });
    await group.reset("TRIM_HORIZON");
    await expect(local.replicateTo(two.far, { name: "same" })).rejects.toBeInstanceOf(
      ResourceInUseError,
    );
    await group.delete();
    await drained(stopLater(await local.replicateTo(two.far, { name: "same" })));
    checkOrder(await consume(two.inside, 10), 0, 10);
  });
});

describe("names", () => {
  it("that are too long stay different ones", () => {
    const [a, b] = [`${"n".repeat(128)}a`, `${"n".repeat(128)}b`];
    expect(shortName(a, 114)).toHaveLength(114);
    expect(shortName(a, 114)).not.toBe(shortName(b, 114));
    expect(shortName("short", 114)).toBe("short");
    const target = (arn: string) => {
      return { name: "far", identity: { place: "here", arn, createdMs: 1 } } as never;
    };
    expect(nameFor(a, target("a"), 128)).toHaveLength(128);
    expect(nameFor(a, target("a"), 128)).not.toBe(nameFor(a, target("b"), 128));
  });
});
