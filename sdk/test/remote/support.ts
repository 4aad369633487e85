/** The places that the remote backend is tried on, all with the official client over real HTTP on the loopback. */
import type { Server } from "node:http";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import kinesalite from "kinesalite";
import { type MillraceLike, open } from "millrace";
import { type KinesisOptions, kinesis, type RemoteMillrace } from "millrace/remote";
import { type KinesisServer, type ServeOptions, serve } from "millrace/serve";
import { afterEach } from "vitest";

export const CREDENTIALS = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "the secret that is nowhere",
};

const endings: (() => unknown)[] = [];

/** Ends something after the test; what was begun last is ended first. */
export function endLater(end: () => unknown): void {
  endings.push(end);
}

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** Opens a backend that is closed after the test. */
export async function openRemote(
  endpoint: string,
  options: Partial<KinesisOptions> = {},
): Promise<RemoteMillrace> {
  const given =
    options.client === undefined ? { region: "us-east-1", endpoint, credentials: CREDENTIALS } : {};
  const backend = kinesis({ ...given, pollMs: 200, ...options });
  const remote = await open({ backend });
  endLater(() => remote.close());
  return remote;
}

/** `millrace serve` in this process. */
export async function startServe(options: ServeOptions = {}): Promise<KinesisServer> {
  const server = await serve({ port: 0, quotas: "unlimited", ...options });
  endLater(() => server.close());
  return server;
}

/** kinesalite in this process, whose streams are as long in transition as told; resolves with its URL. */
export async function startKinesalite({
  transitionMs = 5,
  shardLimit = 100,
} = {}): Promise<string> {
  const server: Server = kinesalite({
    createStreamMs: transitionMs,
    deleteStreamMs: transitionMs,
    updateStreamMs: transitionMs,
    shardLimit,
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  endLater(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it listens on a port");
  return `http://127.0.0.1:${address.port}`;
}

/** A handler that speaks HTTP/1.1, as kinesalite does. */
export function http1(): NodeHttpHandler {
  const handler = new NodeHttpHandler({ connectionTimeout: 5000 });
  endLater(() => handler.destroy());
  return handler;
}

/** What kinesalite 3.3.3 does not do, by the name under which cases ask for it. */
export type Ability = "scale" | "consumers" | "encryption" | "on-demand" | "large records";

/** Somewhere that streams can be. */
export interface Place {
  readonly name: string;
  /** Whether a Kinesis is reached over the network. */
  readonly remote: boolean;
  can(ability: Ability): boolean;
  open(): Promise<MillraceLike>;
}

let opened = 0;

export const places: readonly Place[] = [
  {
    name: "an engine in this thread",
    remote: false,
    can: () => true,
    open: async () => {
      opened += 1;
      const engine = await open({ name: `contract-${opened}`, storage: "memory" });
      endLater(() => engine.close());
      return engine;
    },
  },
  {
    name: "millrace serve",
    remote: true,
    can: () => true,
    open: async () => await openRemote((await startServe()).url),
  },
  {
    name: "kinesalite",
    remote: true,
    can: () => false,
    open: async () => await openRemote(await startKinesalite(), { requestHandler: http1() }),
  },
];

/** Lets the virtual time of a server pass. */
export async function advance(url: string, advanceMs: number): Promise<void> {
  const body = JSON.stringify({ advanceMs });
  await fetch(`${url}/_millrace/time`, { method: "POST", body });
}
