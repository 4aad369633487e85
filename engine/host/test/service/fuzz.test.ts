/** Random inputs of every operation through the engine: answers and AWS's errors, and never a defect. */
import { describe, expect, it } from "vitest";
import { ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import { MillraceError } from "../../src/errors/index.ts";
import { isOperationName, operations } from "../../src/model/shapes.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import { isControlOperation } from "../../src/service/api-dispatch.ts";
import type { ApiCall } from "../../src/service/engine-service.ts";
import { ApiEngine } from "../support/api-calls.ts";
import { randomInput } from "../support/fuzz.ts";

const CALLS = 4000;
const known = {
  StreamName: ["clicks", "orders", "trail"],
  StreamARN: ["clicks", "orders"].map(
    (name) => `arn:aws:kinesis:us-east-1:000000000000:stream/${name}`,
  ),
  ResourceARN: ["arn:aws:kinesis:us-east-1:000000000000:stream/clicks"],
  ShardId: ["shardId-000000000000", "shardId-000000000001"],
  ShardToSplit: ["shardId-000000000000"],
  ConsumerName: ["app"],
  TargetShardCount: [1, 2, 4],
};

describe("random calls", () => {
  it("are answered or refused, and leave an engine that opens again", async () => {
    const random = new SeededRandom(99);
    const api = await ApiEngine.open({ quotas: "aws", transitionMs: 50 });
    await api.engine.createStream("trail");
    await api.service.call("setTrail", { streamName: "trail" });
    const names = Object.keys(operations).filter(isOperationName);
    const outcomes = new Map<string, number>();
    for (let i = 0; i < CALLS; i++) {
      const operation = names[random.below(names.length)] ?? "ListStreams";
      const drawn = randomInput(operation, random, { known, validShare: 0.8 });
      // Reserved: with it, a call is refused whatever else it says.
      const { StreamId: _, ...input } = drawn.input;
      const call: ApiCall = {
        operation,
        input: random.below(10) === 0 ? drawn.input : input,
        caller: { principal: ROOT_PRINCIPAL },
      };
      const control = isControlOperation(operation) ? "invoke" : "dryRun";
      const outcome = await api.service.call(control, call).then(
        () => "answered",
        (error: unknown) => (error instanceof MillraceError ? error.code : `defect: ${error}`),
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (i % 100 === 0) await api.platform.clock.advance(60);
    }
    const unexpected = [...outcomes.keys()].filter((code) => /defect|Internal|Failed/.test(code));
    expect(unexpected).toEqual([]);
    expect(outcomes.get("answered")).toBeGreaterThan(CALLS / 20);
    await api.close();
    const again = await ApiEngine.open({}, api.platform);
    expect(await again.service.call("dataLoss", {})).toEqual([]);
    await again.close();
  });
});
