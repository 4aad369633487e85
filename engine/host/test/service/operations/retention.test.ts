import { describe, expect, it } from "vitest";
import { retentionOperations } from "../../../src/service/operations/retention.ts";
import { streamOperations } from "../../../src/service/operations/streams.ts";
import { failureOf } from "../../support/failures.ts";
import { openContext, type TestContext } from "../../support/operations.ts";

const table = { ...streamOperations, ...retentionOperations };
const StreamName = "clicks";

async function hoursOf(test: TestContext): Promise<number> {
  const output = await test.invoke(table, "DescribeStream", { StreamName });
  return output.StreamDescription.RetentionPeriodHours;
}

async function open(transitionMs = 0): Promise<TestContext> {
  const test = await openContext({ transitionMs });
  await test.invoke(table, "CreateStream", { StreamName, ShardCount: 1 });
  await test.advance(transitionMs);
  return test;
}

function set(test: TestContext, direction: "Increase" | "Decrease", RetentionPeriodHours: number) {
  const input = { StreamName, RetentionPeriodHours };
  return test.invoke(table, `${direction}StreamRetentionPeriod`, input);
}

describe("the retention period", () => {
  it("goes up to a year and down to a day", async () => {
    const test = await open();
    expect(await set(test, "Increase", 8760)).toBeUndefined();
    expect(await hoursOf(test)).toBe(8760);
    expect(await set(test, "Decrease", 24)).toBeUndefined();
    expect(await hoursOf(test)).toBe(24);
    await test.close();
  });

  it.each([
    [
      "Increase",
      23,
      "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short.",
    ],
    [
      "Increase",
      8761,
      "Maximum allowed retention period is 8760 hours. Requested retention period (8761 hours) is too long.",
    ],
    [
      "Increase",
      47,
      "Requested retention period (47 hours) for stream clicks can not be shorter than existing retention period (48 hours). Use DecreaseRetentionPeriod API.",
    ],
    [
      "Decrease",
      49,
      "Requested retention period (49 hours) for stream clicks can not be longer than existing retention period (48 hours). Use IncreaseRetentionPeriod API.",
    ],
    [
      "Decrease",
      23,
      "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short.",
    ],
  ] as const)("does not %s to %i hours", async (direction, hours, message) => {
    const test = await open();
    await set(test, "Increase", 48);
    const failure = await failureOf(set(test, direction, hours));
    expect(failure.code).toBe("InvalidArgumentException");
    expect(failure.message).toBe(message);
    expect(await hoursOf(test)).toBe(48);
    await test.close();
  });

  it("may be set to what it is", async () => {
    const test = await open(1000);
    await set(test, "Increase", 24);
    await set(test, "Decrease", 24);
    expect(await hoursOf(test)).toBe(24);
    await test.close();
  });

  it("changes by way of UPDATING", async () => {
    const test = await open(1000);
    await set(test, "Increase", 48);
    const failure = await failureOf(set(test, "Increase", 72));
    expect(failure.code).toBe("ResourceInUseException");
    await test.advance(1000);
    await set(test, "Increase", 72);
    expect(await hoursOf(test)).toBe(72);
    await test.close();
  });

  it("outlives the engine", async () => {
    const test = await open();
    await set(test, "Increase", 100);
    await test.close();
    const again = await openContext({ platform: test.platform.restart() });
    expect(await hoursOf(again)).toBe(100);
    await again.close();
  });
});
