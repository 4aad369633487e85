/** Assets that a server serves badly: the ways in which a script or a core fails to load half-way. */
import { readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { ROOT } from "../harness/bundle.mjs";

const TYPES = { ".js": "text/javascript; charset=utf-8", ".wasm": "application/wasm" };
const FALLBACK = "<!doctype html><title>an application</title><p>This is its first page.</p>";

/** The first half of a body, with a length that says that this is all. */
function truncate(response, { body, type }) {
  const half = body.subarray(0, body.byteLength >> 1);
  response.writeHead(200, { "content-type": type, "content-length": half.byteLength });
  response.end(half);
}

/** The first half of a body of which the whole was promised. */
function writeHalf(response, { body, type }) {
  response.writeHead(200, { "content-type": type, "content-length": body.byteLength });
  response.write(body.subarray(0, body.byteLength >> 1));
}

function script(text) {
  return (response) => {
    response.writeHead(200, { "content-type": TYPES[".js"] });
    response.end(text);
  };
}

/** Ways to answer a request, by name: each gets the response, and the asset as it should be. */
const ANSWERS = {
  missing: (response) => {
    response.writeHead(404);
    response.end();
  },
  untyped: (response, { body }) => {
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
    response.end(body);
  },
  fallback: (response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(FALLBACK);
  },
  truncated: truncate,
  dropped: (response, asset) => {
    writeHalf(response, asset);
    setTimeout(() => response.destroy(), 50);
  },
  stalled: writeHalf,
  silent: () => undefined,
  throwing: script('throw new Error("broken on purpose");'),
  "import-missing": script('import "/nowhere.js";'),
  "import-throwing": script(
    'import "data:text/javascript,throw new Error(%22broken on purpose%22)";',
  ),
};

/** What a document or a worker may be forbidden, by the beginning of its path. */
const POLICIES = {
  "no-workers": "worker-src 'none'",
  "no-connections": "connect-src 'none'",
  "no-wasm": "script-src 'self' 'unsafe-inline'",
};

/** The hook of a server that serves some paths badly. */
export class BadAssets {
  #folder;
  #broken = new Map();
  /** Responses that were given a broken asset, and may never end by themselves. */
  #open = new Set();

  /** `folder` has the scripts; the core is the engine's own. */
  constructor(folder) {
    this.#folder = folder;
  }

  /** From now on the asset at a path is served badly, so many times over. */
  break(path, how, times = Number.POSITIVE_INFINITY) {
    this.#broken.set(path, { how, left: times });
  }

  /** From now on the asset at a path is served well; requests that were never answered come to an end. */
  mend(path) {
    this.#broken.delete(path);
    for (const response of this.#open) response.destroy();
  }

  /**
   * Answers what is broken, and what lies under a folder that is named after a way to fail, as in
   * /dropped/worker.js. A folder that is named after a policy gives its files that policy.
   */
  interfere = (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    const [, folder = ""] = pathname.split("/");
    const policy = POLICIES[searchParams.get("policy") ?? folder];
    if (policy !== undefined) response.setHeader("content-security-policy", policy);
    response.setHeader("cross-origin-embedder-policy", "require-corp");
    response.setHeader("cross-origin-opener-policy", "same-origin");
    const how = folder in ANSWERS ? folder : this.#brokenNow(pathname);
    if (how !== undefined) this.#answer(response, how, pathname);
    else if (folder in POLICIES) this.#serve(response, pathname);
    else return false;
    return true;
  };

  #answer(response, how, pathname) {
    this.#open.add(response);
    response.on("close", () => this.#open.delete(response));
    ANSWERS[how](response, this.#asset(pathname));
  }

  #brokenNow(pathname) {
    const broken = this.#broken.get(pathname);
    if (broken === undefined || broken.left === 0) return undefined;
    broken.left -= 1;
    return broken.how;
  }

  #serve(response, pathname) {
    const { body, type } = this.#asset(pathname);
    response.writeHead(200, { "content-type": type });
    response.end(body);
  }

  #asset(pathname) {
    const name = basename(pathname);
    const type = TYPES[extname(name)];
    const folder = extname(name) === ".wasm" ? join(ROOT, "engine", "host", "wasm") : this.#folder;
    return { body: readFileSync(join(folder, name)), type };
  }
}
