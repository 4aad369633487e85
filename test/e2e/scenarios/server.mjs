/** The server: addresses, types, headers, and nothing but the built site. */
import { request } from "node:http";
import { assert, startServer } from "../harness.mjs";

/** Sends a path as it stands: `fetch` would tidy it up first. */
function ask(address, path, method = "GET") {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        const { statusCode: status, headers } = response;
        resolve({ status, headers, body: Buffer.concat(chunks).toString("latin1") });
      });
    });
    sent.on("error", reject);
    sent.end();
  });
}

async function staysInside() {
  const server = await startServer();
  try {
    const paths = [
      "/../package.json",
      "/..%2fpackage.json",
      "/%2e%2e/serve.mjs",
      "/assets/../../serve.mjs",
      "/..\\serve.mjs",
      "/..%5cserve.mjs",
      "/%00",
      "/%zz",
      "/assets",
      "/../dist-other/index.html",
    ];
    for (const path of paths) {
      const { status } = await ask(server.address, path);
      assert(status === 404, `${path} is answered with ${status}`);
    }
    const posted = await ask(server.address, "/", "POST");
    assert(posted.status === 405, `a POST is answered with ${posted.status}`);
  } finally {
    await server.stop();
  }
}

async function typesAndHeaders() {
  const server = await startServer();
  try {
    const page = await ask(server.address, "/?rate=50");
    assert(page.status === 200, `the page is answered with ${page.status}`);
    const policy = page.headers["content-security-policy"] ?? "";
    assert(policy.includes("default-src 'self'"), `the policy is ${policy}`);
    assert(policy.includes("frame-ancestors 'none'"), `the policy is ${policy}`);
    assert(!/'unsafe-(inline|eval)'/.test(policy), `the policy is ${policy}`);
    assert(page.headers["x-content-type-options"] === "nosniff", "types may be sniffed");
    assert(page.body.includes('http-equiv="Content-Security-Policy"'), "the page has no policy");
    assert(!page.body.includes("<style"), "the page has an inline style");
    assert(!/<script(?![^>]*src=)/.test(page.body), "the page has an inline script");
    const types = {
      "/icon.svg": "image/svg+xml",
      "/sw.js": "text/javascript; charset=utf-8",
      "/manifest.webmanifest": "application/manifest+json; charset=utf-8",
      "/access-log/apache_combined.log": "text/plain; charset=utf-8",
      "/access-log/LICENSE.txt": "text/plain; charset=utf-8",
    };
    for (const [path, type] of Object.entries(types)) {
      const { status, headers } = await ask(server.address, path, "HEAD");
      assert(status === 200, `${path} is answered with ${status}`);
      assert(headers["content-type"] === type, `${path} is ${headers["content-type"]}`);
    }
    const precached = (await ask(server.address, "/sw.js")).body;
    const core = /assets\/core-[\w-]+\.wasm/.exec(precached)?.[0];
    assert(core !== undefined, "the service worker does not know the core");
    const { headers } = await ask(server.address, `/${core}`, "HEAD");
    assert(
      headers["content-type"] === "application/wasm",
      `the core is ${headers["content-type"]}`,
    );
    assert(headers["cache-control"].includes("immutable"), "the core is fetched at every visit");
  } finally {
    await server.stop();
  }
}

async function findsFreePort() {
  const first = await startServer();
  try {
    const taken = Number(new URL(first.address).port);
    const second = await startServer(taken);
    try {
      assert(second.address !== first.address, "two servers have one address");
      const { status } = await ask(second.address, "/");
      assert(status === 200, `the second server answers ${status}`);
      const lines = second.output().split("\n").filter(Boolean);
      assert(lines.length === 1, `the server prints ${lines.length} lines`);
    } finally {
      await second.stop();
    }
  } finally {
    await first.stop();
  }
}

/** Scenarios of the server. */
export const serverScenarios = [
  { name: "the server serves nothing outside the built site", run: staysInside },
  { name: "the server sends types, a strict policy and security headers", run: typesAndHeaders },
  { name: "the server takes the next free port and prints one line", run: findsFreePort },
];
