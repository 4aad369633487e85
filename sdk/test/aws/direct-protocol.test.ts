/** The direct protocol where a client is not as the pinned one, and what both protocols must agree on. */
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordCommand,
  PutRecordsCommand,
} from "@aws-sdk/client-kinesis";
import { describe, expect, it } from "vitest";
import { DirectAnswer } from "../../src/aws/direct-answer.ts";
import { DirectProtocol } from "../../src/aws/direct-protocol.ts";
import { failureOf, openEngine } from "../support.ts";
import { text } from "./support.ts";

const StreamName = "clicks";
const ShardId = "shardId-000000000000";

describe("a client of another version", () => {
  it("may name its operations in the context", async () => {
    const call = new DirectProtocol().serializeRequest(
      undefined,
      {},
      { commandName: "PutRecordCommand" },
    );
    expect(await call).toMatchObject({ operation: "PutRecord", input: {} });
  });

  it("that does not name them at all is told what to do", async () => {
    const { requestHandler } = (await openEngine()).aws();
    const call = await new DirectProtocol().serializeRequest(undefined, {}, {});
    const error = await failureOf(requestHandler.handle(call));
    expect(error).toMatchObject({ message: expect.stringContaining('protocol: "json"') });
  });

  it("without registries of exceptions gets errors by their names", async () => {
    for (const settings of [
      undefined,
      {},
      { errorTypeRegistries: [] },
      { errorTypeRegistries: [7] },
    ]) {
      const answer = new DirectAnswer(undefined, new RangeError("broken"));
      const error = await failureOf(
        new DirectProtocol(settings).deserializeResponse({}, {}, answer),
      );
      expect(error).toMatchObject({
        name: "InternalFailureException",
        $fault: "server",
        $metadata: { httpStatusCode: 500 },
      });
    }
  });

  it("that has no setting for protocols speaks JSON to the same handler", async () => {
    const engine = await openEngine();
    await engine.streams.create(StreamName);
    const { protocol: _, ...config } = { protocol: undefined, ...engine.aws() };
    const client = new KinesisClient(config);
    const Data = new TextEncoder().encode("hello");
    const put = new PutRecordCommand({ StreamName, PartitionKey: "a", Data });
    expect(await client.send(put)).toMatchObject({ ShardId });
  });
});

describe("both protocols", () => {
  it.each(["direct", "json"] as const)(
    "take text for bytes and skip undefined members (%s)",
    async (protocol) => {
      const engine = await openEngine();
      await engine.streams.create(StreamName);
      const client = new KinesisClient(engine.aws({ protocol }));
      const record = { PartitionKey: "a", Data: "grün" as never, ExplicitHashKey: undefined };
      await client.send(new PutRecordCommand({ StreamName, StreamARN: undefined, ...record }));
      await client.send(new PutRecordsCommand({ StreamName, Records: [record] }));
      const place = { StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" } as const;
      const { ShardIterator } = await client.send(new GetShardIteratorCommand(place));
      const { Records } = await client.send(new GetRecordsCommand({ ShardIterator }));
      expect(Records?.map(({ Data }) => text(Data))).toEqual(["grün", "grün"]);
      // The client is the application's; ending it must not end the engine.
      client.destroy();
      await engine.streams.get(StreamName);
    },
  );
});
