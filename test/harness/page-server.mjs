/**
 * A server for test pages on a loopback port: bundles, Wasm, and whatever routes a test adds. Pages are
 * cross-origin isolated, so that their clocks are fine and their memory can be measured.
 */
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { ROOT } from "./bundle.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".wasm": "application/wasm",
};
const HEADERS = {
  // Not "no-store": the back/forward cache would not keep such a page.
  "cache-control": "no-cache",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-opener-policy": "same-origin",
};
const PAGE =
  '<!doctype html><meta charset="utf-8"><title>test</title><script type="module" src="/page.js"></script>';

/** The file in one of the folders that a path names; undefined when there is none. */
function fileAt(folders, path) {
  for (const folder of folders) {
    const file = join(folder, path);
    if (!file.startsWith(folder + sep)) continue;
    if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  }
  return undefined;
}

function bodyOf(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.on("error", reject);
  });
}

/**
 * Serves `/` (a page that runs /page.js), the files of `folders` and the core under /wasm/. `routes`
 * are functions from the body of a request to the text of its answer, by path. `interfere` sees every
 * request before it is answered; it may set headers, or answer the request itself and return true.
 */
export async function servePages({ folders, routes = {}, interfere = () => false }) {
  const wasm = join(ROOT, "engine", "host", "wasm");
  async function answer(request, response) {
    const { pathname } = new URL(request.url, "http://localhost");
    if (interfere(request, response)) return;
    const route = routes[pathname];
    if (route !== undefined) {
      const text = route(await bodyOf(request)) ?? "";
      response.writeHead(200, { ...HEADERS, "content-type": "text/plain; charset=utf-8" });
      response.end(text);
      return;
    }
    if (pathname === "/") {
      response.writeHead(200, { ...HEADERS, "content-type": TYPES[".html"] });
      response.end(PAGE);
      return;
    }
    const file = pathname.startsWith("/wasm/")
      ? fileAt([wasm], pathname.slice("/wasm".length))
      : fileAt(folders, pathname);
    if (file === undefined) {
      response.writeHead(404, HEADERS);
      response.end();
      return;
    }
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { ...HEADERS, "content-type": type });
    response.end(readFileSync(file));
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => response.destroy(error));
  });
  await new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
