/** Which far side a replication's progress is of: each has its own, and none goes on with another one's. */
import { ResourceInUseError } from "millrace";
import { describe, expect, it } from "vitest";
import { nameFor, shortName } from "../../src/replication/far-side.ts";
import { put, until } from "../groups/support.ts";
import { checkOrder, consume, drained, farStream, openEngine, stopLater } from "./support.ts";

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
    const second = await local.replicateTo(two.far, { name: "same" });
    await until(async () => (await second.status()).state === "paused");
    expect((await second.status()).reason).toBeInstanceOf(ResourceInUseError);
    expect(await second.status()).toMatchObject({ copiedRecords: 0, lagRecords: 10 });
    await second.stop();
    // The first far side's progress is as it was.
    await drained(stopLater(await local.replicateTo(one.far, { name: "same" })));
    checkOrder(await consume(one.inside, 20), 0, 20);
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
