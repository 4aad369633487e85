/** How the site is built: sources of the workspace, one worker, one Wasm file, offline after a visit. */
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { VitePWA } from "vite-plugin-pwa";
import policy from "./security-policy.json" with { type: "json" };

/** Directives that browsers refuse in a meta element and that only the server can send. */
const HEADER_ONLY = new Set(["frame-ancestors"]);

/** Writes the policy into the built page as well, for hosts that send no headers. */
function securityPolicyMeta(): Plugin {
  const content = Object.entries(policy)
    .filter(([directive]) => !HEADER_ONLY.has(directive))
    .map(([directive, sources]) => `${directive} ${sources.join(" ")}`)
    .join("; ");
  return {
    name: "security-policy-meta",
    apply: "build",
    transformIndexHtml: () => [
      {
        tag: "meta",
        attrs: { "http-equiv": "Content-Security-Policy", content },
        injectTo: "head-prepend",
      },
    ],
  };
}

/**
 * Puts the switch of the Faults place before the service worker that was made. Not by importScripts,
 * which the policy for scripts by address refuses in a service worker.
 */
function networkSwitch(): Plugin {
  let outDir = "";
  return {
    name: "network-switch",
    apply: "build",
    enforce: "post",
    configResolved: (config) => {
      outDir = resolve(config.root, config.build.outDir);
    },
    closeBundle: {
      order: "post",
      sequential: true,
      async handler() {
        const worker = resolve(outDir, "sw.js");
        const parts = [new URL("./network-switch.js", import.meta.url), worker];
        const texts = await Promise.all(parts.map((part) => readFile(part, "utf8")));
        await writeFile(worker, texts.join("\n"));
      },
    },
  };
}

export default defineConfig({
  base: "./",
  resolve: { conditions: ["@millrace/source", "module", "browser", "development|production"] },
  worker: { format: "es" },
  build: {
    target: "es2023",
    assetsInlineLimit: 0,
    manifest: true,
    modulePreload: { polyfill: false },
    sourcemap: true,
  },
  plugins: [
    securityPolicyMeta(),
    VitePWA({
      registerType: "prompt",
      injectRegister: false,
      includeAssets: [],
      manifest: {
        name: "Millrace",
        short_name: "Millrace",
        description: "A Kinesis that lives in the browser.",
        start_url: ".",
        scope: ".",
        display: "standalone",
        theme_color: "#12191d",
        background_color: "#12191d",
        icons: [
          { src: "icon.svg", sizes: "any", type: "image/svg+xml", purpose: "any" },
          { src: "icon-maskable.svg", sizes: "any", type: "image/svg+xml", purpose: "maskable" },
        ],
      },
      workbox: {
        globPatterns: ["**/*.{js,css,html,wasm,svg,webmanifest}", "access-log/*.{log,txt}"],
        maximumFileSizeToCacheInBytes: 4_000_000,
        inlineWorkboxRuntime: true,
        navigateFallback: "index.html",
        cleanupOutdatedCaches: true,
        sourcemap: false,
      },
    }),
    networkSwitch(),
  ],
});
