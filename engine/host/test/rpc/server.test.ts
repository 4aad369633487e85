/** The worker's half where a page's hello leads to nothing. */
import { describe, expect, it } from "vitest";
import { WasmLoadError } from "../../src/errors/index.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { HelloAnswer } from "../../src/rpc/messages.ts";
import { attachServer } from "../../src/rpc/server.ts";
import { BUILD_ID, PROTOCOL, VERSION } from "../../src/rpc/version.ts";
import { turns } from "../support/turns.ts";
import { engineDouble, never, OPTIONS, WASM } from "./double.ts";

describe("a worker whose engine does not open", () => {
  it("says so at once, also while its lock is not to be had", async () => {
    const platform = virtualPlatform();
    const said: HelloAnswer[] = [];
    let hear: (event: MessageEvent<unknown>) => void = () => undefined;
    attachServer(
      {
        addEventListener: (_type, listener) => {
          hear = listener;
        },
        postMessage: (message) => said.push(message),
      },
      {
        platform: { ...platform, locks: { acquire: () => never, tryAcquire: () => never } },
        loadCore: () => Promise.reject(new WasmLoadError("no core")),
        createEngine: async () => engineDouble({}),
      },
    );
    const build = { protocol: PROTOCOL, version: VERSION, buildId: BUILD_ID };
    const [control, data] = [new MessageChannel(), new MessageChannel()];
    const ports = { control: control.port1, data: data.port1 };
    const hello = {
      millrace: "hello",
      ...build,
      options: OPTIONS,
      wasm: WASM,
      life: "l",
      ...ports,
    };
    hear(new MessageEvent("message", { data: hello }));
    await turns();
    expect(said).toMatchObject([{ millrace: "loaded" }, { millrace: "failed" }]);
    for (const { port1 } of [control, data]) port1.close();
  });
});
