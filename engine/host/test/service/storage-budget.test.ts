/** Engines with a storage budget: the option, the report, the error as callers and as AWS's clients see it. */
import { describe, expect, it } from "vitest";
import { InvalidArgumentError, StoreFullError } from "../../src/errors/index.ts";
import { awsErrorOf } from "../../src/model/aws-error.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { someRecords, TestEngine } from "../support/engines.ts";
import { whileTimePasses } from "../support/fates.ts";

const MIB = 1_048_576;

describe("an engine's storage budget", () => {
  it("is 16 MiB or more", async () => {
    for (const storageBudgetBytes of [0, 16 * MIB - 1, 1e20, Number.NaN, 20.5 * MIB + 0.5]) {
      const opening = TestEngine.open(virtualPlatform(), { storageBudgetBytes });
      await expect(opening).rejects.toBeInstanceOf(InvalidArgumentError);
      await expect(opening).rejects.toMatchObject({ argument: "storageBudgetBytes" });
    }
  });

  it("is in the report, with what is stored; an engine without one has none", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform, { storageBudgetBytes: 64 * MIB });
    const stream = await engine.createStream();
    await engine.put(stream, someRecords(20, 1000));
    const report = await engine.service.call("storageReport", {});
    expect(report).toMatchObject({ budgetBytes: 64 * MIB, full: false });
    expect(report.storedBytes).toBe(platform.stores.disk("test").usedBytes);
    await engine.service.close();
    const without = await TestEngine.open(virtualPlatform());
    const plain = await without.service.call("storageReport", {});
    expect(plain).toMatchObject({ budgetBytes: undefined, full: false });
    await without.service.close();
  });

  it("refuses puts with an error that callers and AWS's clients know to try again", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform, { storageBudgetBytes: 16 * MIB });
    const stream = await engine.createStream();
    let failure: unknown;
    for (let i = 0; i < 40 && failure === undefined; i++) {
      const put = engine.put(stream, someRecords(10, 100_000, 10 * i));
      failure = await whileTimePasses(platform, put).then(
        () => undefined,
        (error: unknown) => error,
      );
    }
    expect(failure).toBeInstanceOf(StoreFullError);
    expect(failure).toMatchObject({ retryable: true, argument: "storageBudgetBytes" });
    expect(awsErrorOf(failure)).toMatchObject({ code: "LimitExceededException", statusCode: 400 });
    expect(await engine.service.call("storageReport", {})).toMatchObject({ full: true });
    // Deleting the stream makes room, and changes of state need none.
    await engine.service.call("deleteStream", { name: "clicks" });
    await platform.clock.advance(5000);
    expect(await engine.service.call("storageReport", {})).toMatchObject({ full: false });
    const next = await engine.createStream("next");
    await whileTimePasses(platform, engine.put(next, someRecords(10, 100_000)));
    await engine.service.close();
  });

  it("holds for engines in memory, whose streams that give way lose their oldest", async () => {
    const platform = virtualPlatform({ recoverable: false });
    const engine = await TestEngine.open(platform, {
      storage: "memory",
      storageBudgetBytes: 16 * MIB,
    });
    await engine.service.call("createStream", {
      ...{ name: "clicks", shards: 1, retentionHours: 24, recordKibMax: 1024 },
      whenFull: "drop-oldest",
    });
    const stream = await engine.service.call("describeStream", { name: "clicks" });
    for (let i = 0; i < 40; i++) {
      const put = engine.put(stream, someRecords(10, 100_000, 10 * i));
      await whileTimePasses(platform, put);
    }
    const left = await engine.readAll(stream);
    expect(left.length).toBeGreaterThan(50);
    expect(left.length).toBeLessThan(200);
    await engine.service.close();
  });
});
