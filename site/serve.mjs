/**
 * Serves the built site on localhost with the headers that a host on the network should send too.
 * PORT names the port to begin at; where it is taken, the next free one serves.
 */
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

const PORT_DEFAULT = 4173;
const PORT_TRIES = 50;
const ROOT = fileURLToPath(new URL("./dist", import.meta.url));

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".log": "text/plain; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json; charset=utf-8",
};

const policy = JSON.parse(readFileSync(new URL("./security-policy.json", import.meta.url), "utf8"));
const HEADERS = {
  "content-security-policy": Object.entries(policy)
    .map(([directive, sources]) => `${directive} ${sources.join(" ")}`)
    .join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** The file that a request's path names; undefined when there is none inside the site. */
function fileOf(requestPath) {
  let path;
  try {
    path = decodeURIComponent(requestPath);
  } catch {
    // A malformed escape names no file.
    return undefined;
  }
  if (path.includes("\0") || path.includes("\\")) return undefined;
  const file = join(ROOT, path.endsWith("/") ? `${path}index.html` : path);
  if (!file.startsWith(ROOT + sep)) return undefined;
  const status = statSync(file, { throwIfNoEntry: false });
  return status?.isFile() ? { file, bytes: status.size } : undefined;
}

function refuse(response, status, text, headers = {}) {
  response.writeHead(status, { ...HEADERS, ...headers, "content-type": TYPES[".txt"] });
  response.end(`${text}\n`);
}

/** Answers one request from the built site. */
function answer(request, response) {
  if (request.method !== "GET" && request.method !== "HEAD") {
    refuse(response, 405, "Only GET and HEAD are served.", { allow: "GET, HEAD" });
    return;
  }
  const [path = "/"] = (request.url ?? "/").split(/[?#]/, 1);
  const found = fileOf(path);
  if (found === undefined) {
    refuse(response, 404, "There is no such file.");
    return;
  }
  // Names under assets/ hold a hash of their content; everything else may change with a build.
  const immutable = path.startsWith("/assets/");
  response.writeHead(200, {
    ...HEADERS,
    "cache-control": immutable ? "public, max-age=31536000, immutable" : "no-cache",
    "content-length": found.bytes,
    "content-type": TYPES[extname(found.file)] ?? "application/octet-stream",
  });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  createReadStream(found.file)
    .on("error", (error) => response.destroy(error))
    .pipe(response);
}

/** Listens on the port or, where it is taken, on the next ones; resolves with the one it got. */
function listen(server, port, triesLeft) {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      if (error.code !== "EADDRINUSE" || triesLeft === 0) reject(error);
      else resolve(listen(server, port + 1, triesLeft - 1));
    });
    server.listen(port, "localhost", () => resolve(server.address().port));
  });
}

async function main() {
  if (!statSync(join(ROOT, "index.html"), { throwIfNoEntry: false })) {
    throw new Error("site/dist has no index.html: run `npm run build` first");
  }
  const port = process.env.PORT ? Number(process.env.PORT) : PORT_DEFAULT;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`PORT is ${process.env.PORT}, which is not a port (0 to 65535)`);
  }
  const served = await listen(createServer(answer), port, PORT_TRIES);
  process.stdout.write(`Millrace: http://localhost:${served}/\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
