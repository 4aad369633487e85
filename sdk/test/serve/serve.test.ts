/** The server as a whole: AWS's errors for what is malformed, CORS, its own endpoint, its life and its data. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "chai";
import { EngineInUseError, InvalidArgumentError } from "millrace";
import { type KinesisServer, type ServeOptions, serve } from "millrace/serve";
import { afterEach, describe, it } from "vitest";
import { type Answer, ask1, ask2, type Question } from "./support.ts";

const KEY = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "a secret" };
const JSON_11 = "application/x-amz-json-1.1";
const CBOR_11 = "application/x-amz-cbor-1.1";
const servers: KinesisServer[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

async function start(options: ServeOptions = {}): Promise<KinesisServer> {
  const server = await serve({ port: 0, ...options });
  servers.push(server);
  return server;
}

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "millrace-serve-"));
  directories.push(directory);
  return directory;
}

function jsonOf({ body }: Answer): Record<string, unknown> {
  return JSON.parse(body.toString()) as Record<string, unknown>;
}

/** A call of an operation as AWS JSON 1.1, unsigned. */
function operation(name: string, input: unknown, more: Record<string, string> = {}): Question {
  return {
    headers: { "content-type": JSON_11, "x-amz-target": `Kinesis_20131202.${name}`, ...more },
    body: typeof input === "string" ? input : JSON.stringify(input),
  };
}

async function call(url: string, name: string, input: unknown): Promise<Record<string, unknown>> {
  const answer = await ask1(url, operation(name, input));
  assert.strictEqual(answer.status, 200, answer.body.toString());
  return answer.body.byteLength === 0 ? {} : jsonOf(answer);
}

async function control(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; json: Record<string, unknown> }> {
  const text = body === undefined ? "" : JSON.stringify(body);
  const answer = await ask1(url, { method, path: `/_millrace${path}`, headers, body: text });
  return { status: answer.status, json: jsonOf(answer) };
}

describe("what is malformed", () => {
  const list = operation("ListStreams", {});
  const target = "Kinesis_20131202.ListStreams";
  const cases: Record<string, { question: Question; status: number; says: string }> = {
    "broken JSON": {
      question: operation("ListStreams", "{"),
      status: 400,
      says: "SerializationException",
    },
    "JSON that is no object": {
      question: operation("ListStreams", "[1]"),
      status: 400,
      says: "SerializationException",
    },
    "broken CBOR": {
      question: {
        headers: { "content-type": CBOR_11, "x-amz-target": target },
        body: Uint8Array.of(0xbf, 0x61),
      },
      status: 400,
      says: "SerializationException",
    },
    "a member of another type": {
      question: operation("ListStreams", { Limit: "ten" }),
      status: 400,
      says: "SerializationException",
    },
    "a value beyond its limits": {
      question: operation("ListStreams", { Limit: 0 }),
      status: 400,
      says: "ValidationException",
    },
    "an unknown operation": {
      question: operation("FlyToTheMoon", {}),
      status: 404,
      says: "UnknownOperationException",
    },
    "no operation": {
      question: { headers: { "content-type": JSON_11 }, body: "{}" },
      status: 404,
      says: "UnknownOperationException",
    },
    "an unknown content type": {
      question: { ...list, headers: { ...list.headers, "content-type": "text/plain" } },
      status: 404,
      says: "UnknownOperationException",
    },
    "an empty body": { question: operation("ListStreams", ""), status: 400, says: "Serialization" },
    "another method": { question: { method: "GET" }, status: 403, says: "AccessDenied" },
    "a body beyond all limits": {
      question: operation("PutRecord", "x".repeat(16_777_217)),
      status: 413,
      says: "RequestEntityTooLarge",
    },
  };

  it("gets AWS's answers, over both protocols, and the server stays up", async () => {
    const { url } = await start();
    for (const [what, { question, status, says }] of Object.entries(cases)) {
      for (const ask of [ask1, ask2]) {
        const answer = await ask(url, question);
        assert.strictEqual(answer.status, status, what);
        assert.include(answer.body.toString("latin1"), says, what);
        assert.isString(answer.headers["x-amzn-requestid"], what);
      }
    }
    assert.deepEqual((await call(url, "ListStreams", {}))["StreamNames"], []);
  });
});

describe("a page of another origin", () => {
  it("may call operations, as CORS has it", async () => {
    const { url } = await start({ accessKeys: [KEY] });
    const asked = await ask1(url, {
      method: "OPTIONS",
      headers: {
        origin: "https://example.org",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-amz-target,authorization",
      },
    });
    assert.strictEqual(asked.status, 200);
    assert.strictEqual(asked.headers["access-control-allow-origin"], "*");
    assert.strictEqual(asked.headers["access-control-allow-methods"], "POST");
    assert.strictEqual(asked.headers["access-control-allow-headers"], "x-amz-target,authorization");
    const refused = await ask1(
      url,
      operation("ListStreams", {}, { origin: "https://example.org" }),
    );
    assert.strictEqual(refused.headers["access-control-allow-origin"], "*");
    assert.strictEqual(jsonOf(refused)["__type"], "MissingAuthenticationTokenException");
  });

  it("may not call without access keys, unless its origin is of this machine or named", async () => {
    const cases = [
      [{}, "https://example.org", false],
      [{}, "http://localhost.example.org", false],
      [{}, "null", false],
      [{}, "http://localhost:5173", true],
      [{}, "http://127.0.0.1:8000", true],
      [{}, "http://[::1]:8000", true],
      [{ origins: ["https://app.example"] }, "https://app.example", true],
      [{ origins: ["https://app.example"] }, "http://localhost:5173", false],
      [{ origins: ["*"] }, "https://example.org", true],
      [{ accessKeys: [KEY], origins: ["https://app.example"] }, "https://example.org", false],
    ] as const;
    for (const [options, origin, allowed] of cases) {
      const { url } = await start(options);
      const made = operation("CreateStream", { StreamName: "s", ShardCount: 1 }, { origin });
      const what = `${origin} at ${JSON.stringify(options)}`;
      for (const question of [{ method: "OPTIONS", headers: { origin } }, made]) {
        const { status, headers } = await ask1(url, question);
        assert.strictEqual(headers["access-control-allow-origin"], allowed ? "*" : undefined, what);
        assert.strictEqual(status, allowed ? 200 : 400, what);
      }
      if ("accessKeys" in options) continue;
      const { StreamNames } = await call(url, "ListStreams", {});
      assert.deepEqual(StreamNames, allowed ? ["s"] : [], what);
    }
  });

  it("may not ask the control endpoint by a name of its own that leads here", async () => {
    const { url } = await start();
    const { port } = new URL(url);
    const own = await control(url, "GET", "/metrics", undefined, {
      host: `rebound.example:${port}`,
    });
    assert.strictEqual(own.status, 403);
    const names = [`localhost:${port}`, `[::1]:${port}`, "host.docker.internal", "millrace:4567"];
    for (const host of names) {
      const { status } = await control(url, "GET", "/metrics", undefined, { host });
      assert.strictEqual(status, 200, host);
    }
  });

  it("may not ask the control endpoint, whether it needs a key or not", async () => {
    const { url } = await start();
    const { status } = await control(url, "POST", "/reset", {}, { origin: "https://example.org" });
    assert.strictEqual(status, 403);
    const image = await control(url, "GET", "/metrics", undefined, {
      "sec-fetch-site": "cross-site",
    });
    assert.strictEqual(image.status, 403);
  });
});

describe("the control endpoint", () => {
  it("has no methods but its own, not even those of every object", async () => {
    const { url } = await start();
    for (const method of ["constructor", "toString", "__proto__", "valueOf"]) {
      const { status } = await ask2(url, { method, path: "/_millrace/" });
      assert.strictEqual(status, 405, method);
    }
  });

  it("tells that all is well, and what is kept", async () => {
    const { url } = await start();
    const { status, json } = await control(url, "GET", "/");
    assert.strictEqual(status, 200);
    assert.deepInclude(json, { status: "ok", storage: "memory", durable: false, time: "system" });
    await call(url, "CreateStream", { StreamName: "clicks", ShardCount: 2 });
    await call(url, "PutRecord", { StreamName: "clicks", PartitionKey: "a", Data: "aGk=" });
    const { json: metrics } = await control(url, "GET", "/metrics");
    const shards = (metrics["streams"] as Record<string, { incomingRecords: number }[]>)["clicks"];
    assert.deepEqual(shards?.map(({ incomingRecords }) => incomingRecords).sort(), [0, 1]);
  });

  it("lets virtual time pass, and no other", async () => {
    const { url } = await start({ time: "virtual", transitionMs: 1000 });
    await call(url, "CreateStream", { StreamName: "clicks", ShardCount: 1 });
    const statusOf = async (): Promise<unknown> => {
      const { StreamDescriptionSummary: summary } = await call(url, "DescribeStreamSummary", {
        StreamName: "clicks",
      });
      return (summary as Record<string, unknown>)["StreamStatus"];
    };
    assert.strictEqual(await statusOf(), "CREATING");
    const { json: before } = await control(url, "GET", "/time");
    const { json: after } = await control(url, "POST", "/time", { advanceMs: 1000 });
    assert.strictEqual(Number(after["nowMs"]) - Number(before["nowMs"]), 1000);
    assert.strictEqual(await statusOf(), "ACTIVE");
    const wrong = await control(url, "POST", "/time", { advanceMs: -1 });
    assert.deepEqual([wrong.status, wrong.json["__type"]], [400, "InvalidArgumentException"]);
    const { url: real } = await start();
    assert.strictEqual((await control(real, "POST", "/time", { advanceMs: 1 })).status, 400);
  });

  it("injects faults: errors, dropped connections, and none again", async () => {
    const { url } = await start();
    const rule = (effect: object): object => ({
      rules: [{ operation: "ListStreams", times: 2, effect }],
    });
    const limit = { kind: "error", code: "LimitExceededException", message: "on purpose" };
    const set = await control(url, "PUT", "/faults", rule(limit));
    assert.deepEqual([set.status, set.json], [200, rule(limit) as Record<string, unknown>]);
    const failed = await ask1(url, operation("ListStreams", {}));
    assert.deepEqual(
      [failed.status, jsonOf(failed)["__type"], jsonOf(failed)["message"]],
      [400, "LimitExceededException", "on purpose"],
    );
    await control(url, "PUT", "/faults", rule({ kind: "dropped-connection", when: "before" }));
    for (const ask of [ask1, ask2]) {
      const dropped = await ask(url, operation("ListStreams", {})).catch(() => "dropped");
      assert.strictEqual(dropped, "dropped");
    }
    await control(url, "PUT", "/faults", rule(limit));
    const cleared = await control(url, "DELETE", "/faults");
    assert.deepEqual(cleared.json, { rules: [] });
    assert.deepEqual((await call(url, "ListStreams", {}))["StreamNames"], []);
    const wrong = await control(url, "PUT", "/faults", { rules: [{ effect: { kind: "flood" } }] });
    assert.deepEqual([wrong.status, wrong.json["__type"]], [400, "InvalidArgumentException"]);
  });

  it("forgets everything when it is told to", async () => {
    const { url } = await start();
    await call(url, "CreateStream", { StreamName: "clicks", ShardCount: 1 });
    assert.deepEqual(await control(url, "POST", "/reset"), { status: 200, json: {} });
    assert.deepEqual((await call(url, "ListStreams", {}))["StreamNames"], []);
  });

  it("starts and stops the call trail", async () => {
    const { url } = await start();
    await call(url, "CreateStream", { StreamName: "trail", ShardCount: 1 });
    const begun = await control(url, "PUT", "/trail", { streamName: "trail" });
    assert.deepEqual(begun, { status: 200, json: { streamName: "trail" } });
    assert.strictEqual((await control(url, "DELETE", "/trail")).json["streamName"], null);
    assert.strictEqual((await control(url, "PUT", "/trail", { streamName: "no" })).status, 400);
    assert.strictEqual((await control(url, "PUT", "/trail", {})).status, 400);
  });

  it("wants a key where there are keys", async () => {
    const { url } = await start({ accessKeys: [KEY] });
    const basic = (secret: string) => ({
      authorization: `Basic ${Buffer.from(`${KEY.accessKeyId}:${secret}`).toString("base64")}`,
    });
    assert.strictEqual((await control(url, "POST", "/reset")).status, 400);
    const wrong = await control(url, "POST", "/reset", undefined, basic("guess"));
    assert.strictEqual(wrong.json["__type"], "UnrecognizedClientException");
    const right = await control(url, "POST", "/reset", undefined, basic(KEY.secretAccessKey));
    assert.strictEqual(right.status, 200);
  });

  it("says what it does not know", async () => {
    const { url } = await start();
    assert.strictEqual((await control(url, "GET", "/nothing")).status, 404);
    assert.strictEqual((await control(url, "DELETE", "/time")).status, 405);
    const body = "{";
    const answer = await ask1(url, { method: "PUT", path: "/_millrace/faults", body });
    assert.strictEqual(answer.status, 400);
  });
});

describe("a server", () => {
  it("keeps its streams in a directory, which no other may have meanwhile", async () => {
    const directory = join(newDirectory(), "streams");
    const first = await start({ directory });
    await call(first.url, "CreateStream", { StreamName: "clicks", ShardCount: 1 });
    const put = await call(first.url, "PutRecord", {
      ...{ StreamName: "clicks", PartitionKey: "a", Data: "aGk=" },
    });
    assert.isTrue(existsSync(directory));
    const second = await serve({ port: 0, directory }).catch((error: unknown) => error);
    if (!(second instanceof EngineInUseError)) return assert.fail(String(second));
    assert.strictEqual(second.argument, "directory");
    await first.close();
    const again = await start({ directory });
    const health = await control(again.url, "GET", "/");
    assert.deepInclude(health.json, { storage: "file", durable: true });
    const { ShardIterator } = await call(again.url, "GetShardIterator", {
      StreamName: "clicks",
      ShardId: "shardId-000000000000",
      ShardIteratorType: "TRIM_HORIZON",
    });
    const { Records } = await call(again.url, "GetRecords", { ShardIterator });
    const [record] = Records as Record<string, unknown>[];
    assert.strictEqual(record?.["SequenceNumber"], put["SequenceNumber"]);
  });

  it("refuses a port that is taken, and options that make no sense", async () => {
    const { port } = await start();
    const taken = await serve({ port }).catch((error: unknown) => error);
    if (!(taken instanceof InvalidArgumentError)) return assert.fail(String(taken));
    assert.strictEqual(taken.argument, "port");
    const unknown: object = { prot: 1 };
    assert.instanceOf(await serve(unknown).catch((error: unknown) => error), InvalidArgumentError);
  });

  it("warns when strangers may reach it, and only then", async () => {
    const warnings: string[] = [];
    const warn = (text: string): number => warnings.push(text);
    await start({ warn });
    await start({ host: "0.0.0.0", accessKeys: [KEY], warn });
    assert.deepEqual(warnings, []);
    await start({ host: "0.0.0.0", warn });
    assert.lengthOf(warnings, 1);
    assert.include(warnings[0], "0.0.0.0");
  });

  it("may be closed twice, and at the end of a block", async () => {
    const server = await start();
    await Promise.all([server.close(), server.close()]);
    await server[Symbol.asyncDispose]();
    assert.strictEqual(await ask1(server.url).catch(() => "refused"), "refused");
  });
});
