/**
 * An endpoint between a replication and its far side that a seed has answer 500 and 400, drop connections before and
 * after the far side has done what it was asked, and never answer. A gate keeps answers back when it is told, so that
 * whoever waits for them can be killed with work under way, however fast the machine is.
 */
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { randomOf } from "../../sdk/test/replication/random.ts";

/** What became of the calls. */
export interface ChaosCounts {
  calls: number;
  refused: number;
  dropped: number;
  lost: number;
  silent: number;
  /** Done by the far side while the gate was shut, and never answered. */
  held: number;
}

/** Calls that move records; the gate is for these. */
const MOVES_RECORDS = /\.(PutRecords|GetRecords)$/;

/** Lets so many calls pass, and keeps the answers of all later ones. */
class Gate {
  #left = Number.POSITIVE_INFINITY;

  shutAfter(calls: number): void {
    this.#left = calls;
  }

  open(): void {
    this.#left = Number.POSITIVE_INFINITY;
  }

  get isShut(): boolean {
    return this.#left <= 0;
  }

  pass(): void {
    this.#left -= 1;
  }
}

interface Question {
  readonly incoming: IncomingMessage;
  readonly body: Buffer;
  readonly response: ServerResponse;
}

function refuse(response: ServerResponse, status: number, type: string): void {
  response.writeHead(status, {
    "content-type": "application/x-amz-json-1.1",
    // A page sees what it was refused with.
    "access-control-allow-origin": "*",
  });
  response.end(JSON.stringify({ __type: type, message: "by chance" }));
}

type Answer = (answered: IncomingMessage) => void;

/** The far side does it; somebody decides what becomes of its answer. */
function forward(url: string, { incoming, body, response }: Question, answer: Answer): void {
  const { headers, method } = incoming;
  const onward = request(url, { method, headers }, answer);
  onward.on("error", () => response.destroy());
  onward.end(body);
}

/** Hands an answer on. */
function handOn({ response }: Question): Answer {
  return (answered) => {
    response.writeHead(answered.statusCode ?? 500, answered.headers);
    answered.pipe(response);
  };
}

/** Takes the whole answer, and then does something else. */
function swallow(next: () => void): Answer {
  return (answered) => {
    answered.resume();
    answered.on("end", next);
  };
}

/** A running endpoint. */
export interface Chaos {
  readonly url: string;
  readonly counts: ChaosCounts;
  readonly gate: Pick<Gate, "shutAfter" | "open">;
  readonly server: Server;
}

/**
 * Serves until the input of the process ends, and gives what went wrong. A line of the input with `shutAfter` shuts
 * the gate behind so many calls, any other line opens it.
 */
export async function serveUntilTold({ counts, gate, server }: Chaos): Promise<ChaosCounts> {
  for await (const line of createInterface({ input: process.stdin })) {
    const { shutAfter } = JSON.parse(line) as { readonly shutAfter?: number };
    if (shutAfter === undefined) gate.open();
    else gate.shutAfter(shutAfter);
  }
  server.closeAllConnections();
  server.close();
  return counts;
}

/**
 * Listens on the loopback; `chance` is the part of the calls that goes wrong, from 0 to 1. `held` hears how many calls
 * were done and not answered, each time that the far side has done another one.
 */
export async function startChaos(
  url: string,
  { seed, chance }: { readonly seed: number; readonly chance: number },
  held: (calls: number) => void,
): Promise<Chaos> {
  const random = randomOf(seed);
  const gate = new Gate();
  const counts: ChaosCounts = { calls: 0, refused: 0, dropped: 0, lost: 0, silent: 0, held: 0 };
  const misbehave = (question: Question): void => {
    const { response } = question;
    const kind = random.below(6);
    if (kind === 0) counts.silent += 1;
    else if (kind === 1) {
      counts.dropped += 1;
      response.destroy();
    } else if (kind <= 3) {
      counts.lost += 1;
      const lose = swallow(() => response.destroy());
      forward(url, question, lose);
    } else {
      counts.refused += 1;
      if (kind === 4) refuse(response, 500, "InternalFailure");
      else refuse(response, 400, "ProvisionedThroughputExceededException");
    }
  };
  const behave = (question: Question): void => {
    const { headers, method } = question.incoming;
    const movesRecords = MOVES_RECORDS.test(String(headers["x-amz-target"]));
    if (method !== "OPTIONS") counts.calls += 1;
    if (movesRecords && gate.isShut) {
      const keep = swallow(() => {
        counts.held += 1;
        held(counts.held);
      });
      forward(url, question, keep);
    } else if (method === "OPTIONS" || random.fraction() >= chance) {
      if (movesRecords) gate.pass();
      forward(url, question, handOn(question));
    } else misbehave(question);
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
  return { url: `http://127.0.0.1:${port}`, counts, gate, server };
}
