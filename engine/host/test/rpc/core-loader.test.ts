/** The core on its way into a thread: every way to fail ends in a WasmLoadError that says why. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { WasmLoadError } from "../../src/errors/index.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { compileCore, fetchCore } from "../../src/rpc/core-loader.ts";

async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return await promise.catch((error: unknown) => error);
}

describe("the core", () => {
  it.each([
    ["HTML", new TextEncoder().encode("<!doctype html>").buffer, /no Wasm module/],
    ["nothing", new ArrayBuffer(0), /0 bytes/],
    ["a broken module", Uint8Array.of(0, 0x61, 0x73, 0x6d, 9, 9, 9, 9).buffer, /does not compile/],
    ["another module", Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0).buffer, /is not the core/],
  ])("is a WasmLoadError with its URL when it is %s", async (_what, bytes, text) => {
    const failure = await outcome(
      compileCore("https://example.test/core.wasm", bytes, "text/html"),
    );
    expect(failure).toBeInstanceOf(WasmLoadError);
    expect(failure).toMatchObject({ argument: "wasm", value: "https://example.test/core.wasm" });
    expect(String(failure)).toMatch(text);
    expect(String(failure)).toMatch(/docs\/loading\.md/);
  });

  it("is a WasmLoadError when the server keeps it for 30 seconds", async () => {
    const clock = new VirtualClock(0);
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/core.wasm`;
    const failure = outcome(fetchCore({ simd: url, scalar: url }, clock));
    await clock.advance(30_000);
    expect(await failure).toBeInstanceOf(WasmLoadError);
    expect(String(await failure)).toMatch(/within 30000 ms/);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
