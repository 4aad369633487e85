/** The consumers of the matrix: who bundles or serves, which entry and setting, and what must come of it. */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { hashSource, policy } from "./policy.mjs";
import { runScript, serveBuilt, serveByScript } from "./servers.mjs";

const DEFAULT = 'export { open } from "millrace";\nexport const options = () => ({});\n';
const INLINE = 'export { open } from "millrace/inline";\nexport const options = () => ({});\n';
const ADDRESSED = `export { open } from "millrace";
export const options = () => ({
  worker: "/millrace/worker.js",
  broker: "/millrace/broker.js",
  wasm: "/millrace/core.wasm",
});
`;

/** Where a development server's own client needs more than the strict policy. */
const INLINE_SCRIPTS = { "script-src": ["'unsafe-inline'"], "style-src": ["'unsafe-inline'"] };
const DEV_SCRIPTS = {
  "script-src": ["'unsafe-inline'", "'unsafe-eval'"],
  "style-src": ["'unsafe-inline'"],
};
const INLINE_WORKERS = { "worker-src": ["blob:", "data:"] };

function htmlOf(script, type = "module") {
  const title = "<title>Millrace in a bundle</title>";
  return `<!doctype html><meta charset="utf-8">${title}<script type="${type}" src="${script}" defer></script>`;
}
const MODULE = htmlOf("/assets/app.js");
const CLASSIC = htmlOf("/assets/app.js", "text/javascript");

const vitePlace = (port) => ["--host", "127.0.0.1", "--strictPort", "--port", String(port)];
const nextPlace = (port) => ["--hostname", "127.0.0.1", "--port", String(port)];

const viteDev =
  (script = "dev") =>
  (folder) =>
    serveByScript(folder, script, policy(), vitePlace);

/** What a script writes into dist/, served. `more` widens the policy; `copies` adds files. */
function built({ script = "build", page, more = {}, copies = () => undefined }) {
  return async (folder) => {
    await runScript(folder, script, "");
    copies(folder);
    return await serveBuilt(join(folder, "dist"), policy(more), { page });
  };
}

function copyEngine(folder, scripts, core) {
  const engine = join(folder, "node_modules", "@millrace", "engine");
  mkdirSync(join(folder, "dist", scripts), { recursive: true });
  for (const name of ["worker.js", "broker.js"]) {
    cpSync(join(engine, "dist", name), join(folder, "dist", scripts, name));
  }
  cpSync(join(engine, "wasm"), join(folder, "dist", core), { recursive: true });
}
const besideBundle = (folder) => copyEngine(folder, "assets", "wasm");
const underAddress = (folder) => copyEngine(folder, "millrace", "millrace");

function importMapOf(base) {
  return JSON.stringify({
    imports: {
      millrace: `${base}node_modules/millrace/dist/index.js`,
      "@millrace/engine": `${base}node_modules/@millrace/engine/dist/index.js`,
    },
  });
}

function importMapPage(map) {
  return `<!doctype html><meta charset="utf-8"><title>Millrace without a bundler</title>
<script type="importmap">${map}</script><script type="module" src="/main.js"></script>`;
}

function unbundled(headers) {
  return async (folder) => {
    const map = importMapOf("/");
    const page = importMapPage(map);
    return await serveBuilt(folder, policy({ "script-src": [hashSource(map)] }), { page, headers });
  };
}

const ISOLATED = {
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-opener-policy": "same-origin",
};
const isolatedButTheWorker = (path) => (path.endsWith("/worker.js") ? {} : ISOLATED);

/** The packages on another origin, as a CDN has them. */
async function fromElsewhere(folder) {
  const cdn = await serveBuilt(folder, "default-src 'none'", {
    headers: { "access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin" },
  });
  const map = importMapOf(cdn.url);
  const origin = cdn.url.slice(0, -1);
  const more = {
    "script-src": [hashSource(map), origin],
    "worker-src": ["blob:", origin],
    "connect-src": [origin],
  };
  const site = await serveBuilt(folder, policy(more), { page: importMapPage(map) });
  const stop = async () => {
    await site.stop();
    await cdn.stop();
  };
  return { url: site.url, stop };
}

/** The setting for a CDN: a worker of the page's own origin that imports the CDN's. */
const THROUGH_BLOB = `export { open } from "millrace";
const cdn = import.meta.resolve("@millrace/engine");
const start = \`import "\${new URL("worker.js", cdn)}";\`;
export const options = () => ({
  worker: URL.createObjectURL(new Blob([start], { type: "text/javascript" })),
});
`;

async function nextBuilt(folder) {
  await runScript(folder, "build", policy(INLINE_SCRIPTS));
  return await serveByScript(folder, "start", policy(INLINE_SCRIPTS), nextPlace);
}
const nextDev = (folder) => serveByScript(folder, "dev", policy(DEV_SCRIPTS), nextPlace);

const WORKS = { transport: "port" };
const BROADCAST = { transport: "broadcast", violation: /worker-src data/ };
const NOT_FOUND = { fails: /did not load from http.*worker\.js.*the server answers 404/ };

/**
 * Rows of the matrix. `short`: is part of the short form, where the tool is the workspace's own. `app`: its folder
 * here. `note`: what the setting is, for the table.
 */
export const CONSUMERS = [
  { name: "Vite 8 dev", app: "vite-8", setup: DEFAULT, serve: viteDev(), expect: WORKS },
  {
    name: "Vite 8 build",
    app: "vite-8",
    setup: DEFAULT,
    serve: built({}),
    expect: WORKS,
    short: true,
  },
  { name: "Vite 7 dev", app: "vite-7", setup: DEFAULT, serve: viteDev(), expect: NOT_FOUND },
  {
    name: "Vite 7 dev",
    app: "vite-7",
    setup: DEFAULT,
    note: '`optimizeDeps.exclude: ["@millrace/engine"]`',
    serve: viteDev("dev:excluded"),
    expect: WORKS,
  },
  { name: "Vite 7 build", app: "vite-7", setup: DEFAULT, serve: built({}), expect: WORKS },
  {
    name: "webpack 5",
    app: "webpack-5",
    setup: DEFAULT,
    serve: built({ page: CLASSIC }),
    expect: WORKS,
  },
  {
    name: "Next 16 build, start",
    app: "next-16",
    setup: DEFAULT,
    note: "Next's own scripts need `'unsafe-inline'` or a nonce",
    serve: nextBuilt,
    expect: WORKS,
  },
  {
    name: "Next 16 dev",
    app: "next-16",
    setup: DEFAULT,
    note: "its client needs `'unsafe-eval'` besides",
    serve: nextDev,
    expect: WORKS,
  },
  {
    name: "esbuild",
    app: "esbuild",
    setup: DEFAULT,
    serve: built({ page: MODULE }),
    expect: NOT_FOUND,
  },
  {
    name: "esbuild",
    app: "esbuild",
    setup: DEFAULT,
    note: "worker.js and broker.js copied beside the bundle, wasm/ beside its folder",
    serve: built({ page: MODULE, copies: besideBundle }),
    expect: WORKS,
  },
  {
    name: "esbuild, iife",
    app: "esbuild",
    setup: ADDRESSED,
    note: "options `worker`, `broker`, `wasm`",
    serve: built({ script: "build:iife", page: CLASSIC, copies: underAddress }),
    expect: WORKS,
  },
  {
    name: "esbuild, iife",
    app: "esbuild",
    setup: DEFAULT,
    serve: built({ script: "build:iife", page: CLASSIC }),
    expect: { fails: /could not be started|did not load/ },
  },
  {
    name: "esbuild, iife",
    app: "esbuild",
    setup: INLINE,
    note: "`worker-src blob: data:`",
    serve: built({ script: "build:iife", page: CLASSIC, more: INLINE_WORKERS }),
    expect: WORKS,
  },
  {
    name: "Rollup 4",
    app: "rollup",
    setup: DEFAULT,
    serve: built({ page: MODULE }),
    expect: NOT_FOUND,
  },
  {
    name: "Rollup 4",
    app: "rollup",
    setup: ADDRESSED,
    note: "options `worker`, `broker`, `wasm`",
    serve: built({ page: MODULE, copies: underAddress }),
    expect: WORKS,
  },
  {
    name: "Rollup 4",
    app: "rollup",
    setup: INLINE,
    note: "`worker-src blob: data:`",
    serve: built({ page: MODULE, more: INLINE_WORKERS }),
    expect: WORKS,
  },
  {
    name: "Rolldown, iife",
    app: "rolldown",
    setup: INLINE,
    note: "`worker-src blob: data:`",
    serve: built({ page: CLASSIC, more: INLINE_WORKERS }),
    expect: WORKS,
    short: true,
  },
  {
    name: "Rolldown, iife",
    app: "rolldown",
    setup: INLINE,
    note: "`worker-src blob:`",
    serve: built({ page: CLASSIC, more: { "worker-src": ["blob:"] } }),
    expect: BROADCAST,
    short: true,
  },
  {
    name: "Rolldown, iife",
    app: "rolldown",
    setup: INLINE,
    note: "neither in worker-src",
    serve: built({ page: CLASSIC }),
    expect: { fails: /the page's CSP forbids blob: allow it in worker-src/ },
    short: true,
  },
  {
    name: "import map",
    app: "import-map",
    setup: DEFAULT,
    serve: unbundled(),
    expect: WORKS,
    short: true,
  },
  {
    name: "import map",
    app: "import-map",
    setup: DEFAULT,
    note: "cross-origin isolated (COOP, COEP)",
    serve: unbundled(ISOLATED),
    expect: WORKS,
    short: true,
  },
  {
    name: "import map",
    app: "import-map",
    setup: DEFAULT,
    note: "isolated, but worker.js comes without COEP",
    serve: unbundled(isolatedButTheWorker),
    expect: { fails: /without Cross-Origin-Embedder-Policy/ },
    short: true,
  },
  {
    name: "CDN of another origin",
    app: "import-map",
    setup: DEFAULT,
    serve: fromElsewhere,
    expect: { fails: /page's own origin/ },
    short: true,
  },
  {
    name: "CDN of another origin",
    app: "import-map",
    setup: THROUGH_BLOB,
    note: "worker that imports the CDN's; `worker-src blob:`",
    serve: fromElsewhere,
    expect: { transport: "broadcast" },
    short: true,
  },
];
