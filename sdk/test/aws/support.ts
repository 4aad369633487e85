/** Official clients over the faces of engines in memory. */
import { KinesisClient } from "@aws-sdk/client-kinesis";
import type { Millrace } from "millrace";
import { awsClient, awsFetch } from "millrace/aws";

/** The ways by which a client reaches an engine. */
export const ROUTES = ["direct", "json", "fetch"] as const;
export type Route = (typeof ROUTES)[number];

/** A client that calls once and does not repeat. */
export function clientBy(route: Route, engine: Millrace, principal?: string): KinesisClient {
  const who = principal === undefined ? {} : { principal };
  if (route !== "fetch") {
    return new KinesisClient({ ...awsClient(engine, { protocol: route, ...who }), maxAttempts: 1 });
  }
  const handler = awsFetch(engine, principal === undefined ? {} : { principal: () => principal });
  return new KinesisClient({
    region: "us-east-1",
    endpoint: "https://kinesis.invalid",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    maxAttempts: 1,
    requestHandler: {
      handle: (request: Sent, settings?: { abortSignal?: unknown }) =>
        handleByFetch(handler, request, settings),
    },
  });
}

interface Sent {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: BodyInit;
}

/** What the browser's handler does with `customFetch`; Node's has no such setting. */
async function handleByFetch(
  handler: (request: Request) => Promise<Response>,
  { method, headers, body }: Sent,
  { abortSignal }: { abortSignal?: unknown } = {},
) {
  const signal = abortSignal instanceof AbortSignal ? { signal: abortSignal } : {};
  const init = { method, headers, ...signal, ...(body === undefined ? {} : { body }) };
  const response = await handler(new Request("https://kinesis.invalid/", init));
  return {
    response: {
      statusCode: response.status,
      headers: Object.fromEntries(response.headers),
      body: response.body ?? new Uint8Array(),
    },
  };
}

/** Bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Text of bytes. */
export function text(data: Uint8Array | undefined): string {
  return new TextDecoder().decode(data);
}
