/**
 * kinesalite as a face: a real server in this process, reached over the loopback by AWS's official client.
 *
 * kinesalite asks `Date.now` alone what time it is, so virtual time moves this process's clock. Its transitions run
 * on timers: where a case looks into one, real time passes instead.
 */
import { createRequire } from "node:module";
import * as sdk from "@aws-sdk/client-kinesis";
import type { OperationName } from "@millrace/engine/model";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { onTestFinished, vi } from "vitest";
import { endLater, startKinesalite } from "../../../sdk/test/remote/support.ts";
import { type Call, callerOf, type Face, type Time, worldOf } from "../face.ts";
import { type KeyDesk, NoWordsError } from "../world.ts";
import { KINESALITE, OPERATIONS } from "./differences.ts";

const REGION = "us-east-1";
/** AWS's limit of open shards there. */
const SHARD_LIMIT = 500;
/** A timer of kinesalite may be late by so much. */
const LATE_MS = 50;

type Handled = Parameters<NodeHttpHandler["handle"]>;

/** Sends every request to one server, also those that the client's rules address to AWS itself. */
class LoopbackHandler extends NodeHttpHandler {
  readonly #server: URL;

  constructor(server: string) {
    super();
    this.#server = new URL(server);
  }

  override async handle(...[request, options]: Handled) {
    const { protocol, hostname, port } = this.#server;
    Object.assign(request, { protocol, hostname, port: Number(port) });
    return await super.handle(request, options);
  }
}

function clientOf(server: string, accessKeyId: string): sdk.KinesisClient {
  const client = new sdk.KinesisClient({
    region: REGION,
    endpoint: server,
    credentials: { accessKeyId, secretAccessKey: "any" },
    maxAttempts: 1,
    requestHandler: new LoopbackHandler(server),
  });
  endLater(() => client.destroy());
  return client;
}

const require = createRequire(import.meta.url);

/** Members of an operation's input that kinesalite knows; it drops all others without a word. */
function knownMembers(operation: OperationName): readonly string[] {
  const file = `${operation.charAt(0).toLowerCase()}${operation.slice(1)}`;
  const { types } = require(`kinesalite/validations/${file}.js`) as { types: object };
  return Object.keys(types);
}

/** Refuses what kinesalite has no words for, so that no case passes because of what was left out. */
function inItsWords(call: Call): Call {
  return async (operation, input) => {
    if (!OPERATIONS.has(operation)) return await refused(call, operation, input);
    const known = knownMembers(operation);
    for (const [member, value] of Object.entries(input as object)) {
      if (value === undefined || known.includes(member)) continue;
      throw new NoWordsError(`kinesalite has no ${member} in ${operation}`);
    }
    return await call(operation, input);
  };
}

/** Makes a call whose operation the server is to say that it does not have. */
async function refused(call: Call, operation: OperationName, input: unknown): Promise<unknown> {
  return await call(operation, input).catch((error: Error) => {
    if (error.name !== "UnknownOperationException") throw error;
    throw new NoWordsError(`kinesalite has no ${operation}`);
  });
}

const noKeys = async (): Promise<never> => {
  throw new NoWordsError("kinesalite has no keys");
};
const keys: KeyDesk = { create: noKeys, disable: noKeys, destroy: noKeys, setPolicy: noKeys };

const BEGINS_TRANSITION: ReadonlySet<string> = new Set([
  ...["CreateStream", "DeleteStream", "SplitShard", "MergeShards"],
]);

async function inTransition(client: sdk.KinesisClient, StreamName: string): Promise<boolean> {
  const command = new sdk.DescribeStreamSummaryCommand({ StreamName });
  try {
    const { StreamDescriptionSummary: summary } = await client.send(command);
    return summary?.StreamStatus !== "ACTIVE";
  } catch (error) {
    if (error instanceof sdk.ResourceNotFoundException) return false;
    throw error;
  }
}

/** Answers once the transition is over that a call begins, as a world does that has no transitions. */
function settled(client: sdk.KinesisClient, call: Call): Call {
  return async (operation, input) => {
    const output = await call(operation, input);
    if (!BEGINS_TRANSITION.has(operation)) return output;
    const { StreamName } = input as { StreamName: string };
    while (await inTransition(client, StreamName));
    return output;
  };
}

/** Real time. */
const realTime: Time = {
  advance: async (ms) => {
    await new Promise((resolve) => setTimeout(resolve, ms + LATE_MS));
  },
  now: async () => Date.now(),
};

/** Moves this process's clock on until the test is over. */
function startVirtualTime(): Time {
  const realNow = Date.now;
  let aheadMs = 0;
  const clock = vi.spyOn(Date, "now").mockImplementation(() => realNow() + aheadMs);
  onTestFinished(() => clock.mockRestore());
  return {
    advance: async (ms) => {
      aheadMs += ms;
    },
    now: async () => Date.now(),
  };
}

/** The face. What it opens is closed after the test. */
export const kinesaliteFace: Face = {
  name: KINESALITE,
  carries: () => true,
  open: async ({ transitionMs = 0 }) => {
    vi.stubEnv("AWS_REGION", REGION);
    vi.stubEnv("AWS_ACCOUNT_ID", undefined);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const server = await startKinesalite({ transitionMs, shardLimit: SHARD_LIMIT });
    const caller = (accessKeyId: string): Call => {
      const client = clientOf(server, accessKeyId);
      const call = inItsWords(callerOf(client));
      return transitionMs === 0 ? settled(client, call) : call;
    };
    const time = transitionMs === 0 ? startVirtualTime() : realTime;
    const world = worldOf(
      caller("AKIDAPPLICATION00000"),
      caller("AKIDOTHERCALLER00000"),
      time,
      keys,
    );
    return { world, close: async () => undefined };
  },
};
