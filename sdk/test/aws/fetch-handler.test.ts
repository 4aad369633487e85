/** The fetch handler as a network sees it: heads, bodies, bad input, CBOR, event streams. */
import { cbor } from "@smithy/core/cbor";
import type { Millrace } from "millrace";
import { awsFetch, type FetchHandler } from "millrace/aws";
import { describe, expect, it } from "vitest";
import { failureOf, openEngine } from "../support.ts";
import { bytes, text } from "./support.ts";

const JSON_11 = "application/x-amz-json-1.1";
const CBOR_11 = "application/x-amz-cbor-1.1";
const URL_HERE = "https://kinesis.us-east-1.amazonaws.com/";

function ask(
  handler: FetchHandler,
  operation: string,
  body: BodyInit,
  headers: Record<string, string> = {},
): Promise<Response> {
  const target = { "content-type": JSON_11, "x-amz-target": `Kinesis_20131202.${operation}` };
  const init = { method: "POST", headers: { ...target, ...headers }, body };
  return handler(new Request(URL_HERE, init));
}

async function opened(options: Parameters<typeof openEngine>[0] = {}): Promise<{
  engine: Millrace;
  handler: FetchHandler;
}> {
  const engine = await openEngine(options);
  await engine.streams.create("clicks");
  return { engine, handler: awsFetch(engine) };
}

const PUT = JSON.stringify({ StreamName: "clicks", PartitionKey: "a", Data: btoa("hello") });

describe("an answer", () => {
  it("has a request id, its codec's content type, and is open to pages of other origins", async () => {
    const { handler } = await opened();
    const first = await ask(handler, "PutRecord", PUT);
    const second = await ask(handler, "PutRecord", PUT);
    expect(first.status).toBe(200);
    expect(first.headers.get("content-type")).toBe(JSON_11);
    expect(first.headers.get("access-control-allow-origin")).toBe("*");
    expect(first.headers.get("access-control-expose-headers")).toContain("x-amzn-RequestId");
    const id = first.headers.get("x-amzn-requestid");
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(first.headers.get("x-amz-id-2")).toBe(id);
    expect(second.headers.get("x-amzn-requestid")).not.toBe(id);
    expect(await first.json()).toMatchObject({ ShardId: "shardId-000000000000" });
  });

  it("is empty when the operation answers nothing", async () => {
    const { handler } = await opened();
    const response = await ask(handler, "DeleteStream", JSON.stringify({ StreamName: "clicks" }));
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  it("to a throttled call says when to come again", async () => {
    const { handler } = await opened({ quotas: "aws" });
    const Data = btoa("x".repeat(1_000_000));
    const body = JSON.stringify({ StreamName: "clicks", PartitionKey: "a", Data });
    let response = await ask(handler, "PutRecord", body);
    for (let i = 0; i < 20 && response.ok; i++) response = await ask(handler, "PutRecord", body);
    expect(response.status).toBe(400);
    expect(Number(response.headers.get("x-amz-retry-after"))).toBeGreaterThan(0);
    expect(response.headers.get("x-amzn-errortype")).toBe("ProvisionedThroughputExceededException");
  });

  it("to a preflight allows what is asked for", async () => {
    const { handler } = await opened();
    const headers = {
      origin: "https://shop.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "x-amz-target,content-type",
    };
    const response = await handler(new Request(URL_HERE, { method: "OPTIONS", headers }));
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-headers")).toBe("x-amz-target,content-type");
    expect(response.headers.get("access-control-allow-methods")).toBe("POST");
  });
});

describe("bad input", () => {
  const cases: [string, string, string, BodyInit, Record<string, string>, number, string][] = [
    ["an unknown operation", "NoSuchThing", JSON_11, "{}", {}, 404, "UnknownOperationException"],
    ["a member of all objects", "constructor", JSON_11, "{}", {}, 404, "UnknownOperationException"],
    [
      "another service",
      "",
      JSON_11,
      "{}",
      { "x-amz-target": "DynamoDB_20120810.PutItem" },
      404,
      "UnknownOperationException",
    ],
    ["another content type", "PutRecord", "text/plain", PUT, {}, 404, "UnknownOperationException"],
    ["broken JSON", "PutRecord", JSON_11, PUT.slice(0, -3), {}, 400, "SerializationException"],
    ["JSON that is no object", "PutRecord", JSON_11, "[1]", {}, 400, "SerializationException"],
    ["no body", "PutRecord", JSON_11, "", {}, 400, "SerializationException"],
    [
      "bytes that are no CBOR",
      "PutRecord",
      CBOR_11,
      new Uint8Array([0xbf, 0xff, 0xff, 0x1c]),
      {},
      400,
      "SerializationException",
    ],
    [
      "a value of another type",
      "CreateStream",
      JSON_11,
      '{"StreamName":7}',
      {},
      400,
      "SerializationException",
    ],
    [
      "a value that is too long",
      "CreateStream",
      JSON_11,
      JSON.stringify({ StreamName: "n".repeat(129) }),
      {},
      400,
      "ValidationException",
    ],
  ];
  it.each(cases)("%s", async (_, operation, contentType, body, headers, status, code) => {
    const { handler } = await opened();
    const response = await ask(handler, operation, body, {
      "content-type": contentType,
      ...headers,
    });
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(code);
    expect((await ask(handler, "PutRecord", PUT)).status).toBe(200);
  });

  it("a body over the limit, announced or not", async () => {
    const { handler } = await opened();
    const large = new Uint8Array(16_777_217);
    expect((await ask(handler, "PutRecord", large)).status).toBe(413);
    expect((await ask(handler, "PutRecord", "{}", { "content-length": "16777217" })).status).toBe(
      413,
    );
    let pulls = 0;
    const endless = new ReadableStream({
      pull(controller) {
        pulls += 1;
        controller.enqueue(new Uint8Array(1_048_576));
      },
    });
    const init = {
      method: "POST",
      body: endless,
      duplex: "half",
      headers: { "content-type": JSON_11 },
    };
    expect((await handler(new Request(URL_HERE, init))).status).toBe(413);
    expect(pulls).toBeLessThan(20);
  });

  it("none of these: a body that the browser gives only as a whole, without its length", async () => {
    const { handler } = await opened();
    const headers = { "content-type": JSON_11, "x-amz-target": "Kinesis_20131202.PutRecord" };
    const whole = (body: string): Request =>
      Object.defineProperty(new Request(URL_HERE, { method: "POST", headers, body }), "body", {
        value: undefined,
      });
    expect((await handler(whole(PUT))).status).toBe(200);
    expect((await handler(whole(" ".repeat(16_777_217)))).status).toBe(413);
  });

  it("another method", async () => {
    const { handler } = await opened();
    expect((await handler(new Request(URL_HERE))).status).toBe(403);
  });
});

describe("CBOR", () => {
  async function call(handler: FetchHandler, operation: string, input: unknown) {
    const response = await ask(handler, operation, new Uint8Array(cbor.serialize(input)), {
      "content-type": CBOR_11,
    });
    expect(response.headers.get("content-type")).toBe(CBOR_11);
    const body = new Uint8Array(await response.arrayBuffer());
    return {
      status: response.status,
      body: body.byteLength === 0 ? undefined : cbor.deserialize(body),
    };
  }

  it("carries what JSON carries, with times in ms", async () => {
    const { handler } = await opened();
    await call(handler, "PutRecord", {
      StreamName: "clicks",
      PartitionKey: "ü",
      Data: bytes("hello"),
    });
    const place = { StreamName: "clicks", ShardId: "0", ShardIteratorType: "TRIM_HORIZON" };
    const { ShardIterator } = (await call(handler, "GetShardIterator", place)).body;
    const { Records, MillisBehindLatest } = (await call(handler, "GetRecords", { ShardIterator }))
      .body;
    expect([Records[0].PartitionKey, text(Records[0].Data), MillisBehindLatest]).toEqual([
      "ü",
      "hello",
      0,
    ]);
    const same = await ask(handler, "GetRecords", JSON.stringify({ ShardIterator }));
    const [inJson] = (await same.json()).Records;
    expect(inJson.SequenceNumber).toBe(Records[0].SequenceNumber);
    expect(text(Records[0].Data)).toBe(atob(inJson.Data));
  });

  it("carries errors", async () => {
    const { handler } = await opened();
    expect(await call(handler, "DeleteStream", { StreamName: "nö" })).toMatchObject({
      status: 400,
    });
    expect(await call(handler, "DeleteStream", { StreamName: "no" })).toEqual({
      status: 400,
      body: {
        __type: "ResourceNotFoundException",
        message: "Stream no under account 000000000000 not found.",
      },
    });
  });
});

describe("who calls", () => {
  it("is what the request's hook says, unless whoever hands it over knows better", async () => {
    const { engine } = await opened();
    const stranger = "arn:aws:iam::999999999999:user/stranger";
    const handler = awsFetch(engine, { principal: () => stranger });
    const headers = { "content-type": JSON_11, "x-amz-target": "Kinesis_20131202.PutRecord" };
    const request = () => new Request(URL_HERE, { method: "POST", headers, body: PUT });
    const refused = await handler(request());
    expect((await refused.json()).__type).toBe("AccessDeniedException");
    const root = "arn:aws:iam::000000000000:root";
    expect((await handler(request(), { principal: root })).status).toBe(200);
  });
});

describe("an event stream", () => {
  async function subscribed(handler: FetchHandler): Promise<Response> {
    const StreamARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
    const register = JSON.stringify({ StreamARN, ConsumerName: "app" });
    const { Consumer } = await (await ask(handler, "RegisterStreamConsumer", register)).json();
    return await ask(
      handler,
      "SubscribeToShard",
      JSON.stringify({
        ConsumerARN: Consumer.ConsumerARN,
        ShardId: "shardId-000000000000",
        StartingPosition: { Type: "LATEST" },
      }),
    );
  }

  it("begins with the initial response at once, and goes on with what is put", async () => {
    const { handler } = await opened();
    const response = await subscribed(handler);
    expect(response.headers.get("content-type")).toBe("application/vnd.amazon.eventstream");
    const reader = response.body?.getReader();
    expect(text((await reader?.read())?.value)).toContain("initial-response");
    const next = reader?.read();
    await ask(handler, "PutRecord", PUT);
    expect(text((await next)?.value)).toContain(`"Data":"${btoa("hello")}"`);
    await reader?.cancel();
  });

  it("ends with an exception of the model", async () => {
    const { engine, handler } = await opened();
    const reader = (await subscribed(handler)).body?.getReader();
    await reader?.read();
    const next = reader?.read();
    await engine.streams.delete("clicks");
    const message = text((await next)?.value);
    expect(message).toContain("exception");
    expect(message).toContain("ResourceNotFoundException");
    expect((await reader?.read())?.done).toBe(true);
  });

  it("gives up its read when it is cancelled, so that the engine can close", async () => {
    const { engine, handler } = await opened();
    const reader = (await subscribed(handler)).body?.getReader();
    await reader?.read();
    const next = reader?.read();
    await reader?.cancel();
    expect((await next)?.done).toBe(true);
    await engine.close();
  });
});

it("rejects when a fault drops the connection", async () => {
  const { engine, handler } = await opened();
  await engine.faults.set([{ effect: { kind: "dropped-connection", when: "before" }, times: 1 }]);
  expect(await failureOf(ask(handler, "PutRecord", PUT))).toMatchObject({
    code: "ConnectionDroppedException",
  });
  expect((await ask(handler, "PutRecord", PUT)).status).toBe(200);
});
