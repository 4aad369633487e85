/** Reads that wait: what comes after somebody lost the right to read is not given to them. */
import { expect, it } from "vitest";
import { AccessDeniedError } from "../../src/errors/index.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { invoke, never, STRANGER } from "../support/encrypted-engines.ts";
import { someRecords, TestEngine } from "../support/engines.ts";

it("a read that waits is refused once its policy is gone", async () => {
  const engine = await TestEngine.open(virtualPlatform());
  const stream = await engine.createStream();
  const { StreamDescriptionSummary } = await invoke(engine, "DescribeStreamSummary", {
    StreamName: "clicks",
  });
  const arn = StreamDescriptionSummary.StreamARN;
  const allowed = { Effect: "Allow", Action: ["kinesis:GetRecords"], Resource: arn };
  const statement = { ...allowed, Principal: { AWS: STRANGER } };
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
  await invoke(engine, "PutResourcePolicy", { ResourceARN: arn, Policy });
  const read = engine.service.read(
    {
      ...{ call: { operation: "GetRecords", caller: { principal: STRANGER } } },
      ...{ streamUid: stream.uid, cursors: [{ shardIndex: 0, nextIndex: 0 }] },
      ...{ recordsMax: 10, bytesMax: 1_000_000, waitMs: 30_000 },
    },
    never,
  );
  const refused = expect(read).rejects.toThrow(AccessDeniedError);
  await invoke(engine, "DeleteResourcePolicy", { ResourceARN: arn });
  await engine.put(stream, someRecords(2));
  await refused;
  await engine.service.close();
});
