/** Endpoints that misbehave on purpose: servers of the loopback that answer as a test says, or forward. */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { endLater } from "./support.ts";

/** What an endpoint does with a request of which it has the body. */
export type Behaviour = (question: {
  readonly operation: string;
  readonly body: Buffer;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
}) => void;

/** A server of HTTP/1.1; resolves with its URL. */
export async function startStub(behave: Behaviour): Promise<string> {
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("error", () => undefined);
    incoming.on("end", () => {
      const target = String(incoming.headers["x-amz-target"] ?? "");
      const operation = target.slice(target.indexOf(".") + 1);
      behave({ operation, body: Buffer.concat(chunks), incoming, response });
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  endLater(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers as a service of AWS does. */
export function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
  response.end(JSON.stringify(body));
}

/** Lets the real service answer. */
export function forward(url: string, question: Parameters<Behaviour>[0]): void {
  const { body, incoming, response } = question;
  const onward = request(url, { method: "POST", headers: incoming.headers }, (answered) => {
    response.writeHead(answered.statusCode ?? 500, answered.headers);
    answered.pipe(response);
  });
  onward.on("error", () => response.destroy());
  onward.end(body);
}
