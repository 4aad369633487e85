/** One port for two protocols: who is served, how answers flow, and that nobody holds a server up. */
import { once } from "node:events";
import { request as http1Request } from "node:http";
import { constants, connect as http2Connect } from "node:http2";
import { request as https1Request } from "node:https";
import { connect, type Socket } from "node:net";
import { assert } from "chai";
import { ConnectionDroppedError } from "millrace";
import { afterEach, beforeEach, describe, it } from "vitest";
import type { CallHandler, IncomingCall } from "../../src/serve/exchange.ts";
import { LISTENER_LIMITS, type Listener, listen } from "../../src/serve/listener.ts";
import { systemClock } from "../../src/serve/time.ts";
import { countAlive } from "../memory.ts";
import { ask1, ask2, selfSigned } from "./support.ts";

const LIMITS = { ...LISTENER_LIMITS, stopMs: 1000 };
const listeners: Listener[] = [];
let calls: IncomingCall[] = [];

beforeEach(() => {
  calls = [];
});

afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close();
});

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Answers with what was asked. */
const echo: CallHandler = async (call) => {
  calls.push(call);
  const text = `${call.method} ${call.target} ${call.header("x-test") ?? "-"} `;
  return {
    status: 200,
    headers: { "content-type": "text/plain" },
    body: Uint8Array.from([...bytes(text), ...call.body]),
  };
};

async function start(
  handle: CallHandler,
  more: { limits?: Partial<typeof LIMITS>; tls?: ReturnType<typeof selfSigned> } = {},
): Promise<string> {
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    tls: more.tls,
    handle,
    clock: systemClock,
    limits: { ...LIMITS, ...more.limits },
  });
  listeners.push(listener);
  return `${more.tls === undefined ? "http" : "https"}://127.0.0.1:${listener.port}`;
}

/** A stream of numbered frames, and how it ended. */
class Frames implements AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
  returned = false;
  given = 0;
  readonly #make: (i: number) => Promise<Uint8Array<ArrayBuffer> | undefined>;

  constructor(make: (i: number) => Promise<Uint8Array<ArrayBuffer> | undefined>) {
    this.#make = make;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array<ArrayBuffer>, undefined>> {
    const value = await this.#make(this.given);
    this.given += 1;
    return value === undefined ? { done: true, value: undefined } : { done: false, value };
  }

  async return(): Promise<IteratorResult<Uint8Array<ArrayBuffer>, undefined>> {
    this.returned = true;
    return { done: true, value: undefined };
  }
}

const forever = new Promise<undefined>(() => undefined);

function streaming(frames: Frames): CallHandler {
  return async () => ({ status: 200, headers: { "content-type": "x/y" }, body: frames });
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`it never happened: ${what}`);
}

async function openSocket(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

for (const [name, ask] of Object.entries({ "HTTP/1.1": ask1, "HTTP/2": ask2 })) {
  describe(`${name} on the port`, () => {
    it("is answered, with path, headers and body as they came", async () => {
      const url = await start(echo);
      const body = "x".repeat(3_000_000);
      const answer = await ask(url, { path: "/a?b=c%20d", headers: { "x-test": "7" }, body });
      assert.strictEqual(answer.status, 200);
      assert.strictEqual(answer.headers["content-type"], "text/plain");
      assert.strictEqual(answer.body.toString(), `POST /a?b=c%20d 7 ${body}`);
      assert.strictEqual(answer.headers["content-length"], String(answer.body.byteLength));
    });

    it("has the headers that came, and none that every object has", async () => {
      await ask(await start(echo), { headers: { "x-test": "7" } });
      const [call] = calls;
      assert.strictEqual(call?.header("x-test"), "7");
      for (const name of ["constructor", "__proto__", "toString"]) {
        assert.isUndefined(call?.header(name), name);
      }
    });

    it("does not keep the frames of a stream that goes on", async () => {
      const sent: WeakRef<object>[] = [];
      const frames = new Frames(async (i) => {
        if (i === 50) return await forever;
        await new Promise((resolve) => setTimeout(resolve, 1));
        const frame = new Uint8Array(1000);
        sent.push(new WeakRef(frame));
        return frame;
      });
      const asking = ask(await start(streaming(frames)), {}).catch(() => undefined);
      await until(() => frames.given === 50, "the last frame");
      assert.isBelow(await countAlive(sent), 10);
      await listeners.pop()?.close();
      await asking;
    });

    it("tells a body that is too long so, and goes on", async () => {
      const url = await start(echo);
      const answer = await ask(url, { body: Buffer.alloc(17_000_000) });
      assert.strictEqual(answer.status, 413);
      assert.lengthOf(calls, 0);
      assert.strictEqual((await ask(url, {})).status, 200);
    });

    it("ends without an answer when the call's connection is dropped", async () => {
      const url = await start(async () => {
        throw new ConnectionDroppedError("dropped on purpose");
      });
      const failure = await ask(url, {}).then(
        () => undefined,
        (error: unknown) => error,
      );
      assert.instanceOf(failure, Error);
    });

    it("streams frames as they come, to their end", async () => {
      const frames = new Frames(async (i) => (i < 5 ? bytes(`frame ${i};`) : undefined));
      const answer = await ask(await start(streaming(frames)), {});
      assert.strictEqual(answer.body.toString(), "frame 0;frame 1;frame 2;frame 3;frame 4;");
      assert.isTrue(frames.returned);
    });
  });
}

describe("a connection", () => {
  it("may send the first bytes of either protocol one by one", async () => {
    const url = await start(echo);
    const socket = await openSocket(url);
    let received = "";
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString();
    });
    for (const letter of "PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n") {
      socket.write(letter);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => received.includes("PUT / - "), "an answer to PUT");
    socket.destroy();
    const second = await openSocket(url);
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    for (const byte of preface) {
      second.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    second.write(settings);
    const [first] = await once(second, "data");
    // The server's own settings: its frame has the type 4.
    assert.strictEqual((first as Buffer)[3], 4);
    second.destroy();
    assert.lengthOf(calls, 1);
  });

  it("is closed when it says nothing, or begins a request and does not end it", async () => {
    const url = await start(echo, { limits: { headersMs: 100, bodyMs: 200 } });
    const silent = await openSocket(url);
    const unfinished = await openSocket(url);
    unfinished.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc");
    silent.resume();
    unfinished.resume();
    await Promise.all([once(silent, "close"), once(unfinished, "close")]);
    assert.lengthOf(calls, 0);
  });

  it("of HTTP/2 may carry other requests when one of its streams is dropped", async () => {
    const url = await start(async (call) => {
      if (call.target === "/drop") throw new ConnectionDroppedError("dropped on purpose");
      return await echo(call);
    });
    const session = http2Connect(url);
    const dropped = session.request({ ":path": "/drop", ":method": "POST" });
    dropped.end();
    const [error] = await once(dropped, "error");
    assert.strictEqual((error as NodeJS.ErrnoException).code, "ERR_HTTP2_STREAM_ERROR");
    assert.strictEqual(dropped.rstCode, constants.NGHTTP2_INTERNAL_ERROR);
    const kept = session.request({ ":path": "/keep", ":method": "GET" });
    kept.setEncoding("utf8");
    const [text] = await once(kept, "data");
    assert.include(text, "GET /keep");
    session.close();
  });

  it("that ends aborts the call, and closes the subscription", async () => {
    const frames = new Frames(async (i) => (i === 0 ? bytes("first") : await forever));
    let signal: AbortSignal | undefined;
    const url = await start(async (call) => {
      signal = call.signal;
      return await streaming(frames)(call);
    });
    for (const open of [openHttp1, openHttp2]) {
      frames.returned = false;
      frames.given = 0;
      const leave = await open(url);
      assert.isFalse(signal?.aborted);
      leave();
      await until(() => frames.returned, "the subscription is closed");
      assert.isTrue(signal?.aborted);
    }
  });

  it.each(["HTTP/1.1", "a stream of HTTP/2", "a session of HTTP/2"])(
    "that leaves before its answer is ready holds no server up: %s",
    async (kind) => {
      let proceed = (): void => undefined;
      const ready = new Promise<void>((resolve) => {
        proceed = resolve;
      });
      let answered = false;
      const handle: CallHandler = async (call) => {
        calls.push(call);
        await ready;
        answered = true;
        return { status: 200, headers: {}, body: bytes("late") };
      };
      // Whoever waits for the client until the end waits longer than the test may take.
      const url = await start(handle, { limits: { stopMs: 3_600_000 } });
      const leave = kind === "HTTP/1.1" ? callHttp1(url) : callHttp2(url, kind.includes("stream"));
      await until(() => calls.length === 1, "the call arrives");
      leave();
      await until(() => calls[0]?.signal.aborted === true, "it is seen that the client left");
      proceed();
      await until(() => answered, "the answer is ready");
      await listeners.pop()?.close();
    },
  );

  it("that does not read holds no more than a few frames back", async () => {
    const frame = new Uint8Array(1_048_576);
    const frames = new Frames(async () => frame);
    const url = await start(streaming(frames), { limits: { drainMs: 300 } });
    const socket = await openSocket(url);
    socket.pause();
    socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    await until(() => frames.returned, "the server gives up");
    assert.isBelow(frames.given, 40);
    socket.destroy();
  });
});

function openHttp1(url: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const request = http1Request(url, { method: "POST" }, (answer) => {
      answer.on("error", () => undefined);
      answer.once("data", () => resolve(() => request.destroy()));
    });
    request.on("error", reject);
    request.end();
  });
}

function openHttp2(url: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const session = http2Connect(url);
    session.on("error", reject);
    const stream = session.request({ ":method": "POST", ":path": "/" });
    stream.on("error", () => undefined);
    stream.once("data", () => resolve(() => session.destroy()));
    stream.end();
  });
}

/** A call that nobody has answered yet; the function leaves it. */
function callHttp1(url: string): () => void {
  const request = http1Request(url, { method: "POST", agent: false });
  request.on("error", () => undefined);
  request.end("x");
  return () => request.destroy();
}

/** The same, of which either the stream is left or the whole session. */
function callHttp2(url: string, onlyStream: boolean): () => void {
  const session = http2Connect(url);
  session.on("error", () => undefined);
  const stream = session.request({ ":method": "POST", ":path": "/" });
  stream.on("error", () => undefined);
  stream.end("x");
  return () => {
    if (!onlyStream) return session.destroy();
    stream.close(constants.NGHTTP2_CANCEL);
    session.close();
  };
}

describe("a listener that is closed", () => {
  it("lets requests come to their end, and takes no more", async () => {
    let proceed = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      proceed = resolve;
    });
    const url = await start(async (call) => {
      calls.push(call);
      await held;
      return { status: 200, headers: {}, body: bytes("late") };
    });
    const answers = [ask1(url), ask2(url)];
    await until(() => calls.length === 2, "both calls arrive");
    const closing = listeners[0]?.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    proceed();
    for (const answer of await Promise.all(answers)) {
      assert.strictEqual(answer.body.toString(), "late");
    }
    await closing;
    const refused = await ask1(url).catch((error: NodeJS.ErrnoException) => error.code);
    assert.strictEqual(refused, "ECONNREFUSED");
  });

  it("ends event streams, connections that idle, and calls that never end", async () => {
    const endless = (): Frames =>
      new Frames(async (i) => (i === 0 ? bytes("first") : await forever));
    const url = await start(async (call) => {
      calls.push(call);
      if (call.target === "/hang") return await forever.then(() => assert.fail());
      return await streaming(endless())(call);
    });
    await openHttp1(url);
    const ended = ask2(url).then(({ body }) => body.toString());
    const idle = await openSocket(url);
    idle.resume();
    const hanging = ask1(url, { path: "/hang" }).catch((error: unknown) => error);
    await until(() => calls.length === 3, "all calls arrive");
    await listeners[0]?.close();
    assert.strictEqual(await ended, "first");
    assert.instanceOf(await hanging, Error);
    if (!idle.destroyed) await once(idle, "close");
  });
});

describe("a port with TLS", () => {
  it("speaks HTTP/2 and HTTP/1.1, as the client likes", async ({ skip }) => {
    const tls = selfSigned();
    if (tls === undefined) return skip("there is no openssl that makes a certificate");
    const url = await start(echo, { tls });
    const session = http2Connect(url, { ca: tls.cert, servername: "localhost" });
    const stream = session.request({ ":method": "POST", ":path": "/two" });
    stream.setEncoding("utf8");
    stream.end();
    const [text] = await once(stream, "data");
    assert.include(text, "POST /two");
    assert.strictEqual(session.alpnProtocol, "h2");
    session.close();
    const answered = await new Promise<string>((resolve, reject) => {
      const options = { ca: tls.cert, servername: "localhost", method: "POST", agent: false };
      const request = https1Request(`${url}/one`, options, (answer) => {
        answer.setEncoding("utf8");
        answer.once("data", (data: string) => resolve(`${answer.httpVersion} ${data}`));
      });
      request.on("error", reject);
      request.end();
    });
    assert.include(answered, "1.1 POST /one");
  });
});
