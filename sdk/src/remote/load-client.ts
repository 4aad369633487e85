/** AWS's client: loaded when a backend is opened, made with its options, or the application's own. */
import { NotSupportedError } from "@millrace/engine";
import type { OperationName } from "@millrace/engine/model";
import type { KinesisSettings } from "./kinesis-options.ts";

/** Makes one call with the official client. */
export type Send = (
  operation: OperationName,
  input: unknown,
  signal: AbortSignal | undefined,
) => Promise<unknown>;

/** A client that makes calls. */
export interface LoadedClient {
  readonly send: Send;
  /** Ends its connections, if they are ours. */
  close(): void;
}

type Module = typeof import("@aws-sdk/client-kinesis");
type Method = (input: unknown, options: unknown) => Promise<unknown>;

async function loadModule(): Promise<Module> {
  try {
    return await import("@aws-sdk/client-kinesis");
  } catch (cause) {
    throw new NotSupportedError(
      "a Kinesis elsewhere is reached through @aws-sdk/client-kinesis, which does not load: install it, " +
        "or give `client`, a Kinesis of that package",
      { argument: "client", cause },
    );
  }
}

/** Calls by the methods of the aggregated client, which needs none of the package's commands. */
function byMethods(client: object): Send | undefined {
  const methods = client as Readonly<Record<string, unknown>>;
  if (typeof methods["listShards"] !== "function") return undefined;
  return (operation, input, abortSignal) => {
    const name = `${operation.charAt(0).toLowerCase()}${operation.slice(1)}`;
    const method = methods[name];
    if (typeof method !== "function") {
      throw new NotSupportedError(`the client has no operation ${operation}`, {
        argument: "operation",
        value: operation,
      });
    }
    return (method as Method).call(client, input, { abortSignal });
  };
}

async function byCommands(client: { send(...parameters: never[]): unknown }): Promise<Send> {
  const commands = new Map<string, unknown>(Object.entries(await loadModule()));
  const send = client.send as Method;
  return (operation, input, abortSignal) => {
    const Command = commands.get(`${operation}Command`) as new (input: unknown) => object;
    return send.call(client, new Command(input), { abortSignal });
  };
}

/** The client of a backend. @throws NotSupportedError when AWS's package is not there. */
export async function loadClient(settings: KinesisSettings): Promise<LoadedClient> {
  if (settings.client !== undefined) {
    const send = byMethods(settings.client) ?? (await byCommands(settings.client));
    return { send, close: () => undefined };
  }
  const { Kinesis } = await loadModule();
  const { region, endpoint, credentials, requestHandler } = settings;
  const client = new Kinesis({
    region,
    credentials,
    // A put that failed may be stored; whether it is made again is not for the client to decide.
    maxAttempts: 1,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(requestHandler === undefined ? {} : { requestHandler: requestHandler as never }),
  });
  const send = byMethods(client) ?? (await byCommands(client));
  return { send, close: () => client.destroy() };
}
