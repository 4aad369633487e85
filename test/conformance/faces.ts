/** The faces that the table runs through: each opens a fresh service with virtual time. */
import * as sdk from "@aws-sdk/client-kinesis";
import { open } from "millrace";
import { awsFace, awsFetch } from "millrace/aws";
import { serve } from "millrace/serve";
import { Boto3, boto3Problem } from "./boto3-client.ts";
import { cborCaller } from "./cbor-client.ts";
import { type Call, callerOf, type Face, type Time, worldOf } from "./face.ts";
import { OTHER_ACCESS_KEY, OTHER_PRINCIPAL, type WorldOptions } from "./world.ts";

let count = 0;

async function openEngine(options: WorldOptions) {
  count += 1;
  return await open({
    name: `conformance-${count}`,
    storage: "memory",
    time: "virtual",
    quotas: options.quotas ?? "aws",
    transitionMs: options.transitionMs ?? 0,
    controlQuotas: options.controlQuotas ?? false,
    memoryBudgetBytes: 64 * 1_048_576,
  });
}

type Engine = Awaited<ReturnType<typeof openEngine>>;

const timeOf = ({ time }: Engine): Time => ({
  advance: async (ms) => {
    await time.advance(ms);
  },
  now: () => time.now(),
});

function inProcess(name: string, caller: (engine: Engine, principal?: string) => Call): Face {
  return {
    name,
    carries: () => true,
    open: async (options) => {
      const engine = await openEngine(options);
      const world = worldOf(
        caller(engine),
        caller(engine, OTHER_PRINCIPAL),
        timeOf(engine),
        engine.keys,
      );
      return { world, close: () => engine.close() };
    },
  };
}

const withPrincipal = (principal: string | undefined): { principal?: string } =>
  principal === undefined ? {} : { principal };

const typed = inProcess("the typed SDK", (engine, principal) => {
  const face = awsFace(engine);
  return (operation, input) =>
    face.execute(operation, input, withPrincipal(principal)).catch((error: unknown) => {
      // The SDK's own errors carry AWS's name as their code.
      const { code } = error as { code?: string };
      throw Object.assign(error as Error, code === undefined ? {} : { name: code });
    });
});

const official = (protocol: "direct" | "json"): Face =>
  inProcess(`the official client, ${protocol} protocol`, (engine, principal) => {
    const config = engine.aws({ protocol, ...withPrincipal(principal) });
    return callerOf(new sdk.KinesisClient({ ...config, maxAttempts: 1 }));
  });

interface ClientRequest {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array | string;
}

/** Lets an official client call a fetch-shaped handler. */
function fetchHandlerClient(engine: Engine, principal: string | undefined): sdk.KinesisClient {
  const handler = awsFetch(engine, principal === undefined ? {} : { principal: () => principal });
  return new sdk.KinesisClient({
    region: "us-east-1",
    endpoint: "http://kinesis.example",
    credentials: { accessKeyId: "any", secretAccessKey: "any" },
    maxAttempts: 1,
    requestHandler: {
      handle: async ({ headers, body }: ClientRequest) => {
        const bytes = typeof body === "string" ? body : new Uint8Array(body ?? []);
        const request = new Request("http://kinesis.example/", {
          method: "POST",
          headers,
          body: bytes,
        });
        const response = await handler(request);
        const answer = {
          statusCode: response.status,
          headers: Object.fromEntries(response.headers),
          body: response.body,
        };
        return { response: answer as never };
      },
    },
  });
}

const fetchJson = inProcess("the fetch handler, JSON", (engine, principal) =>
  callerOf(fetchHandlerClient(engine, principal)),
);

const fetchCbor: Face = {
  ...inProcess("the fetch handler, CBOR", (engine, principal) =>
    cborCaller(awsFetch(engine, principal === undefined ? {} : { principal: () => principal })),
  ),
  // AWS answers no subscriptions in CBOR either.
  carries: ({ operation }) => operation !== "SubscribeToShard",
};

const KEYS = [
  { accessKeyId: "AKIDAPPLICATION00000", secretAccessKey: "the application's secret" },
  { accessKeyId: OTHER_ACCESS_KEY, secretAccessKey: "the other's secret" },
] as const;

type Served = Awaited<ReturnType<typeof serveFor>>;

async function serveFor(options: WorldOptions) {
  return await serve({
    port: 0,
    time: "virtual",
    accessKeys: KEYS,
    quotas: options.quotas ?? "aws",
    transitionMs: options.transitionMs ?? 0,
    controlQuotas: options.controlQuotas ?? false,
    memoryBudgetBytes: 64 * 1_048_576,
  });
}

function timeOfServer({ url }: Served): Time {
  const [{ accessKeyId, secretAccessKey }] = KEYS;
  const headers = { authorization: `Basic ${btoa(`${accessKeyId}:${secretAccessKey}`)}` };
  const ask = async (init: RequestInit): Promise<number> => {
    const response = await fetch(`${url}/_millrace/time`, { ...init, headers });
    const { nowMs } = (await response.json()) as { nowMs: number };
    return nowMs;
  };
  return {
    advance: async (advanceMs) => {
      await ask({ method: "POST", body: JSON.stringify({ advanceMs }) });
    },
    now: () => ask({}),
  };
}

const served: Face = {
  name: "`millrace serve`, the client's default handler (HTTP/2)",
  // With a StreamId the official client goes to AWS, whatever its endpoint.
  carries: ({ title, options }) => !title.includes("StreamId") && options.keys !== true,
  open: async (options) => {
    const server = await serveFor(options);
    const [own, other] = KEYS.map(
      (credentials) =>
        new sdk.KinesisClient({
          region: "us-east-1",
          endpoint: server.url,
          credentials,
          maxAttempts: 1,
        }),
    );
    if (own === undefined || other === undefined) throw new Error("there are two clients");
    return {
      world: worldOf(callerOf(own), callerOf(other), timeOfServer(server)),
      close: async () => {
        own.destroy();
        other.destroy();
        await server.close();
      },
    };
  },
};

const boto3 = new Boto3();

const servedToBoto3: Face = {
  name: "`millrace serve`, boto3 (HTTP/1.1)",
  problem: boto3Problem(),
  wholeSeconds: true,
  // As with the official client; and what a version of botocore does not know of an answer it leaves out.
  carries: ({ title, options }) =>
    !title.includes("StreamId") && title !== "counts channels" && options.keys !== true,
  open: async (options) => {
    const server = await serveFor(options);
    const { url: endpoint } = server;
    const [own, other] = KEYS.map(
      (key): Call =>
        (operation, input) =>
          boto3.call({ endpoint, ...key }, operation, input),
    );
    if (own === undefined || other === undefined) throw new Error("there are two keys");
    return {
      world: worldOf(own, other, timeOfServer(server)),
      close: async () => {
        await boto3.forget(endpoint);
        await server.close();
      },
    };
  },
};

/** Ends what the faces share. */
export function endFaces(): void {
  boto3.end();
}

/** All faces. */
export const faces: readonly Face[] = [
  typed,
  official("direct"),
  official("json"),
  fetchJson,
  fetchCbor,
  served,
  servedToBoto3,
];
