/** Input that no client should send, over HTTP: AWS's own errors, and a server that goes on answering. */
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect as http2Connect } from "node:http2";
import { connect, type Socket } from "node:net";
import cbor from "cbor";
import { type KinesisServer, serve } from "millrace/serve";
import { afterAll, assert, beforeAll, describe, test } from "vitest";
import { SeededRandom } from "../../engine/host/src/platform/seeded-random.ts";

const JSON_TYPE = "application/x-amz-json-1.1";
const CBOR_TYPE = "application/x-amz-cbor-1.1";
const MIB = 1_048_576;

let server: KinesisServer;

beforeAll(async () => {
  server = await serve({ port: 0 });
  assert.equal((await call("CreateStream", { StreamName: "clicks", ShardCount: 1 })).status, 200);
});

afterAll(async () => {
  await server.close();
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: Buffer;
}

interface Question {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

function ask({ method = "POST", headers = {}, body = "" }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(server.url, { method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        const status = answer.statusCode ?? 0;
        resolve({ status, headers: answer.headers, body: Buffer.concat(chunks) });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

function target(operation: string): string {
  return `Kinesis_20131202.${operation}`;
}

function call(operation: string, input: unknown): Promise<Answer> {
  const headers = { "content-type": JSON_TYPE, "x-amz-target": target(operation) };
  return ask({ headers, body: JSON.stringify(input) });
}

/** A good call, which every test must leave possible. */
async function assertAlive(): Promise<void> {
  const { status, body } = await call("DescribeStreamSummary", { StreamName: "clicks" });
  assert.equal(status, 200);
  const { StreamDescriptionSummary: stream } = JSON.parse(body.toString()) as {
    StreamDescriptionSummary: { StreamStatus: string };
  };
  assert.equal(stream.StreamStatus, "ACTIVE");
}

interface ErrorBody {
  readonly __type?: string;
  readonly message?: string;
}

function jsonError({ body }: Answer): ErrorBody {
  return JSON.parse(body.toString()) as ErrorBody;
}

/** An answer must be an error of AWS's with a text, an id, and a header that names it. */
function assertError(answer: Answer, status: number, code: string, message?: RegExp): void {
  const error = jsonError(answer);
  assert.equal(answer.status, status, answer.body.toString());
  assert.equal(error.__type, code);
  assert.equal(answer.headers["x-amzn-errortype"], code);
  assert.isString(answer.headers["x-amzn-requestid"]);
  assert.isNotEmpty(error.message);
  if (message !== undefined) assert.match(error.message ?? "", message);
}

describe("a body", () => {
  const put = { "content-type": JSON_TYPE, "x-amz-target": target("PutRecord") };

  for (const [name, body] of [
    ["is empty", ""],
    ["is cut off", '{"StreamName":"cli'],
    ["is no JSON", "StreamName=clicks"],
    ["has a comma too many", '{"StreamName":"clicks",}'],
    ["is a list", "[]"],
    ["is a text", '"clicks"'],
    ["is null", "null"],
    ["is a number", "7"],
    ["is no UTF-8", Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d)],
    ["is deep", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
    ["has data that is no base64", '{"StreamName":"clicks","PartitionKey":"a","Data":"%%%"}'],
    ["has data that is no text", '{"StreamName":"clicks","PartitionKey":"a","Data":7}'],
    ["has an object for a name", '{"StreamName":{},"PartitionKey":"a","Data":""}'],
  ] as const) {
    test(`that ${name} is a SerializationException`, async () => {
      assertError(await ask({ headers: put, body }), 400, "SerializationException");
      await assertAlive();
    });
  }

  test("that leaves out what is required is a ValidationException, as AWS words it", async () => {
    const answer = await ask({ headers: put, body: "{}" });
    const text = /validation errors? detected: .*Member must not be null/;
    assertError(answer, 400, "ValidationException", text);
    await assertAlive();
  });

  test("that means to reach into prototypes reaches nothing", async () => {
    const body =
      '{"__proto__":{"StreamName":"clicks"},"constructor":{"prototype":{"polluted":1}},' +
      '"ShardId":"0","ShardIteratorType":"LATEST"}';
    const headers = { ...put, "x-amz-target": target("GetShardIterator") };
    assertError(await ask({ headers, body }), 400, "InvalidArgumentException");
    assert.isUndefined(({} as Record<string, unknown>)["polluted"]);
    await assertAlive();
  });

  test("of CBOR that is broken is a SerializationException in CBOR", async () => {
    const headers = { "content-type": CBOR_TYPE, "x-amz-target": target("PutRecord") };
    const whole = cbor.encodeOne({
      StreamName: "clicks",
      PartitionKey: "a",
      Data: Buffer.alloc(9),
    });
    for (const body of [
      whole.slice(0, -3),
      Uint8Array.of(0xff),
      Uint8Array.of(0xbf),
      Uint8Array.of(0x1c),
      Uint8Array.of(0x80),
      Uint8Array.of(0xbb, 255, 255, 255, 255, 255, 255, 255, 255),
      Uint8Array.of(0x9b, 0, 0, 255, 255, 255, 255, 255, 255),
      Uint8Array.of(0x5a, 255, 255, 255, 255),
      new Uint8Array(100_000).fill(0x81),
      new Uint8Array(100_000).fill(0xc1),
      Uint8Array.of(0xa1, 0xf5, 0xf6),
      Uint8Array.of(0xa1, 0x62, 0xff, 0xff, 0x01),
    ]) {
      const answer = await ask({ headers, body });
      const error = cbor.decodeFirstSync(answer.body) as ErrorBody;
      const sent = Buffer.from(body.slice(0, 12)).toString("hex");
      assert.equal(answer.status, 400, sent);
      assert.equal(error.__type, "SerializationException", sent);
      assert.equal(answer.headers["content-type"], CBOR_TYPE);
      await assertAlive();
    }
  });

  test("of more than a request may have is refused by its size", async () => {
    for (const bytes of [16 * MIB + 1, 24 * MIB]) {
      const answer = await ask({ headers: put, body: new Uint8Array(bytes).fill(32) });
      assert.equal(answer.status, 413);
      await assertAlive();
    }
    // A body that only claims to be large is not waited for longer than honest ones are.
    const socket = await open();
    socket.write(head("PutRecord", JSON_TYPE, 1_000_000_000_000));
    socket.destroy();
    await assertAlive();
  });

  test("of a request that is within the limit of a body and over AWS's is AWS's error", async () => {
    const Data = Buffer.alloc(MIB - 1).toString("base64");
    const Records = Array.from({ length: 11 }, () => ({ PartitionKey: "a", Data }));
    const answer = await call("PutRecords", { StreamName: "clicks", Records });
    assertError(answer, 400, "InvalidArgumentException", /10 MB/);
    const tooLarge = {
      StreamName: "clicks",
      PartitionKey: "a",
      Data: Buffer.alloc(MIB).toString("base64"),
    };
    assertError(await call("PutRecord", tooLarge), 400, "ValidationException");
    await assertAlive();
  });
});

describe("a target", () => {
  for (const name of [
    "Kinesis_20131202.MakeStream",
    "Kinesis_20131202.",
    "Kinesis_20131202.toString",
    "Kinesis_20131202.__proto__",
    "Kinesis_20131202.PutRecord.PutRecord",
    "DynamoDB_20120810.ListTables",
    "PutRecord",
    "x".repeat(5000),
  ]) {
    test(`like ${name.slice(0, 40)} is an UnknownOperationException`, async () => {
      const headers = { "content-type": JSON_TYPE, "x-amz-target": name };
      assertError(await ask({ headers, body: "{}" }), 404, "UnknownOperationException");
      await assertAlive();
    });
  }

  test("that is missing is one as well", async () => {
    const answer = await ask({ headers: { "content-type": JSON_TYPE }, body: "{}" });
    assertError(answer, 404, "UnknownOperationException", /without x-amz-target/);
    await assertAlive();
  });
});

describe("a request", () => {
  for (const type of [
    "application/json",
    "text/plain",
    "application/x-amz-json-1.0",
    "",
    "\t",
    "/",
  ]) {
    test(`of type ${JSON.stringify(type)} is an UnknownOperationException`, async () => {
      const headers = { "content-type": type, "x-amz-target": target("ListStreams") };
      const answer = await ask({ headers, body: "{}" });
      assert.equal(answer.status, 404);
      assert.include(answer.body.toString(), "UnknownOperationException");
      await assertAlive();
    });
  }

  test("of AWS's type with parameters and capitals is answered", async () => {
    const headers = {
      "content-type": "Application/X-Amz-JSON-1.1; charset=utf-8",
      "x-amz-target": target("ListStreams"),
    };
    assert.equal((await ask({ headers, body: "{}" })).status, 200);
  });

  test("by another method is refused", async () => {
    for (const method of ["GET", "PUT", "DELETE", "PATCH", "HEAD"]) {
      assert.equal((await ask({ method })).status, 403, method);
    }
    await assertAlive();
  });
});

async function open(): Promise<Socket> {
  const { port, hostname } = new URL(server.url);
  const socket = connect({ port: Number(port), host: hostname });
  // The server may end it at any time, which is its right.
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

function head(operation: string, type: string, contentLength: number): string {
  return (
    `POST / HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\n` +
    `x-amz-target: ${target(operation)}\r\ncontent-length: ${contentLength}\r\n\r\n`
  );
}

/** What a socket brings until it is quiet for a while or closed. */
async function answerOf(socket: Socket, quietMs: number): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  await Promise.race([
    once(socket, "close"),
    new Promise((resolve) => setTimeout(resolve, quietMs)),
  ]);
  return text;
}

describe("a connection", () => {
  test("that ends in the middle of anything leaves nothing behind", async () => {
    const whole = `${head("ListStreams", JSON_TYPE, 2)}{}`;
    for (let cut = 1; cut < whole.length; cut += 7) {
      const socket = await open();
      socket.write(whole.slice(0, cut));
      // Half of them say that they are done, the others are gone.
      if (cut % 2 === 0) socket.end();
      else socket.destroy();
    }
    await assertAlive();
  });

  test("that says nothing more in the middle holds up nobody else", async () => {
    const sockets = await Promise.all(Array.from({ length: 50 }, open));
    for (const [i, socket] of sockets.entries()) {
      socket.write(`${head("PutRecord", JSON_TYPE, 1000)}{`.slice(0, 1 + i * 4));
    }
    await assertAlive();
    for (const socket of sockets) socket.destroy();
    await assertAlive();
  });

  test("that brings another protocol is refused or closed", async () => {
    for (const start of [
      "GET /\r\n\r\n",
      "POST / HTTP/9.9\r\n\r\n",
      "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame of HTTP/2, but long enough for one",
      "SSH-2.0-OpenSSH_9.6\r\n",
      "\u0000\u0000\u0000\u0000",
    ]) {
      const socket = await open();
      socket.write(Buffer.from(start, "latin1"));
      const text = await answerOf(socket, 300);
      assert.notMatch(text, /^HTTP\/1\.1 (2|5)/, JSON.stringify(start));
      socket.destroy();
      await assertAlive();
    }
  });

  test("with garbage on it, 200 times, leaves the server up", { timeout: 60_000 }, async () => {
    const seed = Number(process.env["MILLRACE_GARBAGE_SEED"] ?? 7);
    const random = new SeededRandom(seed);
    for (let i = 0; i < 200; i++) {
      const socket = await open();
      socket.write(garbage(random, i));
      const text = await answerOf(socket, 10);
      assert.notMatch(text, /^HTTP\/1\.1 5/, `seed ${seed}, request ${i}`);
      socket.destroy();
      await assertAlive();
    }
  });

  test("of HTTP/2 whose requests are garbage goes on with good ones", async () => {
    const session = http2Connect(server.url);
    session.on("error", () => undefined);
    const random = new SeededRandom(8);
    const headers = { ":method": "POST", ":path": "/", "content-type": JSON_TYPE };
    const send = (operation: string, body: Uint8Array): Promise<number> =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ...headers, "x-amz-target": target(operation) });
        let status = 0;
        stream.on("response", (answered) => {
          status = Number(answered[":status"]);
        });
        stream.on("error", reject);
        stream.on("close", () => resolve(status));
        stream.resume();
        stream.end(body);
      });
    for (let i = 0; i < 50; i++) {
      const body = random.fill(new Uint8Array(random.below(5000)));
      assert.equal(await send("PutRecords", body), 400);
      assert.equal(await send("ListStreams", new TextEncoder().encode("{}")), 200);
    }
    session.close();
  });
});

/** Bytes of every degree of likeness to a request. */
function garbage(random: SeededRandom, i: number): Uint8Array {
  const noise = random.fill(new Uint8Array(1 + random.below(3000)));
  const operations = ["PutRecord", "PutRecords", "SubscribeToShard", "GetRecords", "ListStreams"];
  const operation = operations[random.below(operations.length)] ?? "";
  const type = i % 2 === 0 ? JSON_TYPE : CBOR_TYPE;
  switch (i % 4) {
    case 0:
      return noise;
    case 1:
      return Buffer.concat([Buffer.from(head(operation, type, noise.byteLength)), noise]);
    case 2:
      return Buffer.concat([Buffer.from("POST / HTTP/1.1\r\nhost: x\r\n"), noise]);
    default: {
      const whole = Buffer.from(`${head(operation, JSON_TYPE, 24)}{"StreamName": "clicks"}`);
      for (let n = 0; n < 3; n++) whole[random.below(whole.length)] = random.below(256);
      return whole;
    }
  }
}
