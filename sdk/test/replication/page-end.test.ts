/** The last records of a page: they leave in the task in which it ends, and consumers see each one once. */
import { FetchHttpHandler } from "@smithy/fetch-http-handler";
import { describe, expect, it } from "vitest";
import type { NetworkWatch } from "../../src/replication/network.ts";
import { put, until } from "../groups/support.ts";
import { openRemote, startServe } from "../remote/support.ts";
import {
  checkOrder,
  consume,
  drained,
  farStream,
  openEngine,
  remoteOf,
  stopLater,
} from "./support.ts";

/** A page whose end a test decides. */
class Page implements NetworkWatch {
  readonly #listeners = new Set<() => void>();
  online = (): boolean => true;
  onChange = (): (() => void) => () => undefined;

  onLeave(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  end(): void {
    for (const tell of this.#listeners) tell();
  }
}

/** What a page is left with is made ready after its first put, by a DescribeStreamSummary of its own. */
class LeavingClient {
  #puts = 0;
  #summaries = 0;

  /** An answer is on its way to whoever asked. */
  answered(target = ""): void {
    if (target.endsWith(".PutRecords")) this.#puts += 1;
    if (target.endsWith(".DescribeStreamSummary") && this.#puts > 0) this.#summaries += 1;
  }

  /** Resolves when the client has its answer, which it takes in without waiting for anything else. */
  async ready(): Promise<void> {
    await until(() => this.#summaries > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("the end of a page", () => {
  it("sends what is under way and what waits; the next page sends it again, and it is seen once", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const { inside } = await farStream(there, "clicks", 2);
    const { requestHandler } = there.aws({ protocol: "json" });
    const leaving = new LeavingClient();
    let silent = false;
    let puts = 0;
    // Puts of the page that lives are never answered from some time on; those of its end are.
    const handler = {
      ...requestHandler,
      handle: async (request: { headers: Record<string, string> }, options: never) => {
        const isPut = request.headers["x-amz-target"]?.endsWith(".PutRecords") === true;
        if (isPut) puts += 1;
        if (isPut && silent) return await new Promise<never>(() => undefined);
        const answer = await requestHandler.handle(request, options);
        leaving.answered(request.headers["x-amz-target"]);
        return answer;
      },
    };
    const remote = await remoteOf(there, { requestHandler: handler, deadlineMs: 2000 });
    const page = new Page();
    const far = await remote.streams.get("clicks");
    const dying = stopLater(await local.replicateTo(far, { network: page }));
    await put(local, 0, 10);
    await drained(dying);
    await leaving.ready();
    silent = true;
    puts = 0;
    await put(local, 10, 200);
    await until(() => puts > 0);
    await until(async () => (await dying.status()).lagRecords === 190);
    silent = false;
    page.end();
    await new Promise((resolve) => setImmediate(resolve));
    silent = true;
    const records = await consume(inside, 200);
    checkOrder(records, 0, 200);
    expect((await dying.status()).copiedRecords).toBe(10);
    // The page is gone; another one goes on from the checkpoint.
    const fresh = await (await remoteOf(there)).streams.get("clicks");
    await dying.stop();
    const next = stopLater(await local.replicateTo(fresh));
    await drained(next);
    await put(local, 200, 210);
    await drained(next);
    checkOrder(await consume(inside, 210, { group: "again" }), 0, 210);
    const kept = await consume(inside, 400, { group: "keeps", repeats: "keep" });
    expect(kept.length).toBe(400);
  });

  it("leaves in its own task, marked to outlive the page, within 64 KiB", async () => {
    const server = await startServe();
    const sent: { readonly keepalive: boolean; readonly bytes: number }[] = [];
    const real = globalThis.fetch;
    const leaving = new LeavingClient();
    let stuck = false;
    const requestHandler = new FetchHttpHandler({
      keepAlive: true,
      customFetch: async (input: RequestInfo | URL) => {
        const request = input as Request;
        const body = await request.clone().arrayBuffer();
        if (stuck && body.byteLength > 0) {
          sent.push({ keepalive: request.keepalive, bytes: body.byteLength });
          return await new Promise<never>(() => undefined);
        }
        const response = await real(request);
        const whole = new Response(await response.arrayBuffer(), response);
        leaving.answered(request.headers.get("x-amz-target") ?? undefined);
        return whole;
      },
    });
    const here = await openEngine();
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const remote = await openRemote(server.url, { requestHandler, deadlineMs: 1500 });
    const page = new Page();
    const far = await remote.streams.ensure("clicks", { shards: 1 });
    const replication = stopLater(await local.replicateTo(far, { network: page }));
    await put(local, 0, 10);
    await drained(replication);
    await leaving.ready();
    stuck = true;
    const data = new Uint8Array(1000);
    await local.putRecords(Array.from({ length: 300 }, () => ({ partitionKey: "k", data })));
    await until(() => sent.length > 0);
    sent.length = 0;
    page.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toHaveLength(1);
    expect(sent[0]?.keepalive).toBe(true);
    expect(sent[0]?.bytes).toBeLessThanOrEqual(65_536);
    expect(sent[0]?.bytes).toBeGreaterThan(40_000);
  });
});
