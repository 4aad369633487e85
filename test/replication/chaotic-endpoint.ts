/**
 * An endpoint between a replication and its far side that a seed has answer 500 and 400, drop connections before and
 * after the far side has done what it was asked, and never answer.
 */
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { randomOf } from "../../sdk/test/replication/random.ts";

/** What became of the calls. */
export interface ChaosCounts {
  calls: number;
  refused: number;
  dropped: number;
  lost: number;
  silent: number;
}

interface Question {
  readonly incoming: IncomingMessage;
  readonly body: Buffer;
  readonly response: ServerResponse;
}

function refuse(response: ServerResponse, status: number, type: string): void {
  response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
  response.end(JSON.stringify({ __type: type, message: "by chance" }));
}

/** The far side does it; its answer is handed on, or lost. */
function forward(url: string, { incoming, body, response }: Question, lost: boolean): void {
  const { headers } = incoming;
  const onward = request(url, { method: "POST", headers }, (answered) => {
    if (lost) {
      answered.resume();
      answered.on("end", () => response.destroy());
      return;
    }
    response.writeHead(answered.statusCode ?? 500, answered.headers);
    answered.pipe(response);
  });
  onward.on("error", () => response.destroy());
  onward.end(body);
}

/** Serves until the input of the process ends, and gives what went wrong. */
export async function serveUntilTold({
  counts,
  server,
}: Pick<Awaited<ReturnType<typeof startChaos>>, "counts" | "server">): Promise<ChaosCounts> {
  process.stdin.resume();
  await new Promise((resolve) => {
    process.stdin.once("end", resolve);
  });
  server.closeAllConnections();
  server.close();
  return counts;
}

/** Listens on the loopback; `chance` is the part of the calls that goes wrong, from 0 to 1. */
export async function startChaos(
  url: string,
  { seed, chance }: { readonly seed: number; readonly chance: number },
): Promise<{ readonly url: string; readonly counts: ChaosCounts; readonly server: Server }> {
  const random = randomOf(seed);
  const counts: ChaosCounts = { calls: 0, refused: 0, dropped: 0, lost: 0, silent: 0 };
  const behave = (question: Question): void => {
    const { response } = question;
    counts.calls += 1;
    if (random.fraction() >= chance) {
      forward(url, question, false);
      return;
    }
    const kind = random.below(6);
    if (kind === 0) counts.silent += 1;
    else if (kind === 1) {
      counts.dropped += 1;
      response.destroy();
    } else if (kind <= 3) {
      counts.lost += 1;
      forward(url, question, true);
    } else {
      counts.refused += 1;
      if (kind === 4) refuse(response, 500, "InternalFailure");
      else refuse(response, 400, "ProvisionedThroughputExceededException");
    }
  };
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("error", () => undefined);
    incoming.on("end", () => behave({ incoming, body: Buffer.concat(chunks), response }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, counts, server };
}
