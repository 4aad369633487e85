/** Options of `stream.replicateTo()`: what is refused names the option; what cannot work says so. */
import { NotSupportedError, ResourceInUseError } from "millrace";
import { describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { checkReplicateOptions } from "../../src/replication/replication-options.ts";
import { put, until } from "../groups/support.ts";
import { drained, farStream, openEngine, stopLater } from "./support.ts";

const remote = { name: "far", target: () => ({ name: "far" }) as never };

describe("stream.replicateTo() refuses", () => {
  const cases: readonly (readonly [string, object])[] = [
    ["options.name", { name: "no such name!" }],
    ["options.aggregate", { aggregate: "yes" }],
    ["options.bytesPerSecondMax", { bytesPerSecondMax: 1023 }],
    ["options.bytesPerSecondMax", { bytesPerSecondMax: Number.NaN }],
    ["options.warnBeforeMs", { warnBeforeMs: -1 }],
    ["options.hold", { hold: 1 }],
    ["options.atPageEnd", { atPageEnd: null }],
    ["options.network", { network: { online: true } }],
    ["options.credentials", { credentials: {} }],
  ];
  for (const [argument, options] of cases) {
    it(`a wrong ${argument}: ${JSON.stringify(options)}`, () => {
      expect(() => checkReplicateOptions(remote, options)).toThrow(
        expect.objectContaining({ code: "InvalidArgumentException", argument }),
      );
    });
  }

  it("what is no stream elsewhere", () => {
    for (const wrong of [undefined, null, "far", {}, { name: "far" }]) {
      expect(() => checkReplicateOptions(wrong as never)).toThrow(
        expect.objectContaining({ argument: "remote" }),
      );
    }
  });

  it("a start at a sequence number, and a name that is another stream's", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks");
    const other = await here.streams.ensure("other");
    const { far } = await farStream(there, "clicks", 1);
    const from = { sequenceNumber: "49".padEnd(56, "0") };
    await expect(local.replicateTo(far, { from } as never)).rejects.toMatchObject({
      code: "InvalidArgumentException",
    });
    stopLater(await local.replicateTo(far, { name: "taken" }));
    await expect(other.replicateTo(far, { name: "taken" })).rejects.toBeInstanceOf(
      ResourceInUseError,
    );
  });
});

describe("a far side that spreads its records", () => {
  it("takes plain records, and is told to take no others", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks");
    const inside = await there.streams.create("clicks", { mode: "ON_DEMAND" });
    await clientOf(there).call("invoke", {
      operation: "UpdateStreamRecordDistributionStrategy",
      input: { StreamARN: inside.arn, RecordDistributionStrategy: "AUTO" },
      caller: { principal: "arn:aws:iam::000000000000:root" },
    });
    const { far } = await farStream(there, "clicks", 4);
    await put(local, 0, 20);
    const marked = stopLater(await local.replicateTo(far));
    await until(async () => (await marked.status()).state === "paused");
    expect((await marked.status()).reason).toBeInstanceOf(NotSupportedError);
    await marked.stop();
    const plain = stopLater(await local.replicateTo(far, { aggregate: false }));
    await drained(plain);
    expect((await plain.status()).copiedRecords).toBe(20);
  });
});
