/** Serves what a bundler wrote, under the headers that a host on the network would send. */
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".wasm": "application/wasm",
};

function fileAt(folder, pathname) {
  const file = join(folder, pathname.endsWith("/") ? `${pathname}index.html` : pathname);
  if (!file.startsWith(folder + sep)) return undefined;
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? file : undefined;
}

/**
 * Serves a folder on a loopback port; `page` is the text of `/`, the folder's index.html when absent.
 * `headersOf` gives the headers of a path.
 */
export async function serveFolder(folder, { page, headersOf }) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const isPage = pathname === "/" && page !== undefined;
    const file = isPage ? undefined : fileAt(folder, pathname);
    if (file === undefined && !isPage) {
      response.writeHead(404, headersOf(pathname));
      response.end();
      return;
    }
    const type = file === undefined ? TYPES[".html"] : TYPES[extname(file)];
    response.writeHead(200, {
      ...headersOf(pathname),
      "content-type": type ?? "application/octet-stream",
    });
    response.end(file === undefined ? page : readFileSync(file));
  });
  await new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
