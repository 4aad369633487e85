/** Both halves of the service worker recipe over real ports, with a scope that stands for the worker's. */
import { awsFetch } from "millrace/aws";
import { describe, expect, it } from "vitest";
import { PortFetch } from "../../src/aws/port-fetch.ts";
import { HELLO } from "../../src/aws/port-messages.ts";
import { servePort } from "../../src/aws/serve-port.ts";
import { answerKinesisRequests } from "../../src/aws/service-worker.ts";
import { failureOf, openEngine } from "../support.ts";
import { text } from "./support.ts";

const ORIGIN = "https://shop.example";

type Handler = (request: Request) => Promise<Response>;

interface Page {
  readonly id: string;
  postMessage(message: unknown): void;
}

/** A service worker's scope that events can be given to. */
class Scope {
  readonly location = { origin: ORIGIN };
  readonly pages: Page[] = [];
  readonly clients = { matchAll: async () => this.pages };
  readonly #listeners = new Map<string, (event: Event) => void>();

  addEventListener(type: string, listener: (event: Event) => void): void {
    this.#listeners.set(type, listener);
  }

  connect(id: string, handler: Handler, origin = ORIGIN): () => void {
    const { port1, port2 } = new MessageChannel();
    const stop = servePort(port1, handler);
    const event = { data: { millrace: HELLO }, origin, ports: [port2], source: { id } };
    this.#listeners.get("message")?.(event as never);
    return () => {
      stop();
      port2.close();
    };
  }

  /** Answer to a page's request; undefined when the worker lets it pass. */
  fetch(url: string, init: RequestInit = {}, clientId = "page"): Promise<Response> | undefined {
    let answer: Promise<Response> | undefined;
    const respondWith = (response: Promise<Response>): void => {
      answer = response;
    };
    const request = new Request(url, { method: "POST", body: "{}", ...init });
    this.#listeners.get("fetch")?.({ request, clientId, respondWith } as never);
    return answer;
  }
}

function scopeWith(...ids: string[]): Scope {
  const scope = new Scope();
  for (const id of ids) scope.pages.push({ id, postMessage: () => undefined });
  answerKinesisRequests(scope);
  return scope;
}

const named =
  (name: string): Handler =>
  async () =>
    new Response(name);

describe("a service worker", () => {
  it("takes requests to Kinesis only", async () => {
    const scope = scopeWith("page");
    const stop = scope.connect("page", named("engine"));
    for (const host of [
      "kinesis.us-east-1.amazonaws.com",
      "kinesis.cn-north-1.amazonaws.com.cn",
      "kinesis-fips.us-gov-west-1.amazonaws.com",
      "000000000000.data-kinesis.eu-west-1.amazonaws.com",
      "kinesis.eu-west-1.api.aws",
    ]) {
      expect(await (await scope.fetch(`https://${host}/`))?.text()).toBe("engine");
    }
    for (const host of [
      "dynamodb.us-east-1.amazonaws.com",
      "kinesis.us-east-1.amazonaws.com.evil.example",
      "firehose.us-east-1.amazonaws.com",
      "shop.example",
    ]) {
      expect(scope.fetch(`https://${host}/`)).toBeUndefined();
    }
    stop();
  });

  it("prefers the page that asks, takes any other that has an engine, and forgets those that left", async () => {
    const scope = scopeWith("first", "second", "third");
    const stops = [scope.connect("first", named("1")), scope.connect("second", named("2"))];
    const url = "https://kinesis.us-east-1.amazonaws.com/";
    expect(await (await scope.fetch(url, {}, "second"))?.text()).toBe("2");
    expect(await (await scope.fetch(url, {}, "third"))?.text()).toBe("1");
    scope.pages.shift();
    expect(await (await scope.fetch(url, {}, "third"))?.text()).toBe("2");
    for (const stop of stops) stop();
  });

  it("ignores ports of other origins, and asks its pages when it knows none", async () => {
    const scope = scopeWith();
    let stop: (() => void) | undefined;
    scope.pages.push({
      id: "page",
      postMessage: () => {
        scope.connect("page", named("foreign"), "https://evil.example")();
        stop = scope.connect("page", named("own"));
      },
    });
    const answer = await scope.fetch("https://kinesis.us-east-1.amazonaws.com/");
    expect(await answer?.text()).toBe("own");
    stop?.();
  });
});

describe("requests over a port", () => {
  function connected(handler: Handler) {
    const { port1, port2 } = new MessageChannel();
    const stop = servePort(port1, handler);
    return { far: new PortFetch(port2), stop };
  }

  it("carry method, headers and bytes there and back", async () => {
    const { far, stop } = connected(async (request) => {
      const body = new Uint8Array(await request.arrayBuffer()).reverse();
      const headers = {
        "x-answer": request.headers.get("x-question") ?? "",
        "x-method": request.method,
      };
      return new Response(body, { status: 418, headers });
    });
    const body = new Uint8Array(300_000).map((_, i) => i % 251);
    const request = { method: "POST", body, headers: { "x-question": "why" } };
    const response = await far.fetch(new Request("https://kinesis.invalid/", request));
    expect([
      response.status,
      response.headers.get("x-answer"),
      response.headers.get("x-method"),
    ]).toEqual([418, "why", "POST"]);
    expect(Buffer.from(await response.arrayBuffer()).equals(body.reverse())).toBe(true);
    stop();
  });

  it("stream events as they come, and cancel the subscription with the reader", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    const { arn } = await stream.registerConsumer("app");
    const { far, stop } = connected(awsFetch(engine));
    const ask = (operation: string, input: object) =>
      far.fetch(
        new Request("https://kinesis.invalid/", {
          method: "POST",
          headers: {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": `Kinesis_20131202.${operation}`,
          },
          body: JSON.stringify(input),
        }),
      );
    const StartingPosition = { Type: "LATEST" };
    const input = { ConsumerARN: arn, ShardId: "shardId-000000000000", StartingPosition };
    const reader = (await ask("SubscribeToShard", input)).body?.getReader();
    expect(text((await reader?.read())?.value)).toContain("initial-response");
    for (const data of ["one", "two"]) {
      const next = reader?.read();
      await ask("PutRecord", { StreamName: "clicks", PartitionKey: "a", Data: btoa(data) });
      expect(text((await next)?.value)).toContain(btoa(data));
    }
    await reader?.cancel();
    stop();
    await engine.close();
  });

  it("fail as a network does when the connection is dropped, and with the reason of an abort", async () => {
    const { far, stop } = connected(async (request) => {
      if (request.url.endsWith("/drop")) throw new Error("dropped");
      return await new Promise((_, reject) => {
        request.signal.addEventListener("abort", () => reject(request.signal.reason));
      });
    });
    expect(await failureOf(far.fetch(new Request("https://kinesis.invalid/drop")))).toMatchObject({
      name: "TypeError",
      message: "Failed to fetch",
    });
    const controller = new AbortController();
    const waiting = far.fetch(
      new Request("https://kinesis.invalid/wait", { signal: controller.signal }),
    );
    setTimeout(() => controller.abort(), 10);
    expect(await failureOf(waiting)).toMatchObject({ name: "AbortError" });
    stop();
  });

  it("are not sent when they are given up before", async () => {
    const urls: string[] = [];
    const { far, stop } = connected(async ({ url }) => {
      urls.push(new URL(url).pathname);
      return new Response("");
    });
    const controller = new AbortController();
    const request = new Request("https://kinesis.invalid/aborted", {
      method: "POST",
      body: "{}",
      signal: controller.signal,
    });
    const failing = failureOf(far.fetch(request));
    controller.abort();
    expect(await failing).toMatchObject({ name: "AbortError" });
    await far.fetch(new Request("https://kinesis.invalid/sent"));
    expect(urls).toEqual(["/sent"]);
    stop();
  });

  it("fail when the page is gone, and end their subscriptions when the worker is", async () => {
    const { port1, port2 } = new MessageChannel();
    let left: Promise<unknown> | undefined;
    const stop = servePort(port1, async ({ signal }) => {
      left = new Promise((resolve) => signal.addEventListener("abort", resolve));
      return await new Promise(() => undefined);
    });
    const waiting = failureOf(new PortFetch(port2).fetch(new Request("https://kinesis.invalid/")));
    while (left === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    port2.close();
    await left;
    expect(await waiting).toMatchObject({ name: "TypeError", message: "Failed to fetch" });
    stop();
  });
});
