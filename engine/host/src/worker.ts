/** The engine's worker: everything is behind the server, which waits for a page. */
import { openShared } from "./leader/open-shared.ts";
import { browserChannels } from "./platform/browser-channels.ts";
import { browserPlatform } from "./platform/browser-platform.ts";
import { fetchCore } from "./rpc/core-loader.ts";
import { attachServer, type ServerScope } from "./rpc/server.ts";
import { createEngine } from "./service/engine.ts";

const scope: ServerScope = {
  addEventListener: (type, listener) => globalThis.addEventListener(type, listener),
  postMessage: (message) => globalThis.postMessage(message),
};

attachServer(scope, {
  platform: browserPlatform(),
  loadCore: fetchCore,
  createEngine: (platform, core, options, broker) =>
    openShared({ ...platform, channels: browserChannels(broker) }, options, (locked) =>
      createEngine(locked, core, options),
    ),
});
