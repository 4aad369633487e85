/** AWS's client: loaded when a service is opened, made with its options, or the application's own. */
import { NotSupportedError } from "@millrace/engine";
import type { AwsService } from "./aws-service.ts";
import type { ServiceSettings } from "./service-options.ts";

/** Makes one call with the official client. */
export type Send = (
  operation: string,
  input: unknown,
  signal: AbortSignal | undefined,
) => Promise<unknown>;

/** A client that makes calls. */
export interface ConnectedClient {
  readonly send: Send;
  /** Ends its connections, if they are ours. */
  close(): void;
}

/** The client of a service that is open. */
export interface LoadedClient extends ConnectedClient {
  /**
   * Another one with more configuration, and with these options for its handler unless the application gave one. Of
   * an application's own client, that client.
   */
  another(configuration: object, handlerOptions: object): Promise<ConnectedClient>;
}

type Members = Readonly<Record<string, unknown>>;
type Method = (input: unknown, options: unknown) => Promise<unknown>;
type Sender = object & { send(...parameters: never[]): unknown };

async function loadModule(service: AwsService): Promise<Members> {
  const { name, packageName, className } = service;
  try {
    return (await service.load()) as Members;
  } catch (cause) {
    throw new NotSupportedError(
      `a ${name} elsewhere is reached through ${packageName}, which does not load: install it, ` +
        `or give \`client\`, a ${className} of that package`,
      { argument: "client", cause },
    );
  }
}

function methodName(operation: string): string {
  return `${operation.charAt(0).toLowerCase()}${operation.slice(1)}`;
}

/** Calls by the methods of the aggregated client, which needs none of the package's commands. */
function byMethods(service: AwsService, client: object): Send | undefined {
  const methods = client as Members;
  for (const operation of service.everywhere) {
    if (typeof methods[methodName(operation)] !== "function") return undefined;
  }
  return (operation, input, abortSignal) => {
    const method = methods[methodName(operation)];
    if (typeof method !== "function") {
      throw new NotSupportedError(`the client has no operation ${operation}`, {
        argument: "operation",
        value: operation,
      });
    }
    return (method as Method).call(client, input, { abortSignal });
  };
}

async function byCommands(service: AwsService, client: Sender): Promise<Send> {
  const commands = await loadModule(service);
  const send = client.send as Method;
  return (operation, input, abortSignal) => {
    const Command = commands[`${operation}Command`] as new (input: unknown) => object;
    return send.call(client, new Command(input), { abortSignal });
  };
}

/** The client of a service. @throws NotSupportedError when AWS's package is not there. */
export async function loadClient(
  service: AwsService,
  settings: ServiceSettings,
): Promise<LoadedClient> {
  if (settings.client !== undefined) {
    const { client } = settings;
    const send = byMethods(service, client) ?? (await byCommands(service, client));
    const close = (): void => undefined;
    return { send, close, another: async () => ({ send, close }) };
  }
  const loaded = await loadModule(service);
  const Client = loaded[service.className] as new (
    configuration: object,
  ) => Sender & { destroy(): void };
  const { region, endpoint, credentials, requestHandler } = settings;
  const connect = async (more: object): Promise<ConnectedClient> => {
    const client = new Client({
      region,
      credentials,
      // A change that failed may have been made; whether it is made again is not for the client to decide.
      maxAttempts: 1,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(requestHandler === undefined ? {} : { requestHandler }),
      ...more,
    });
    const send = byMethods(service, client) ?? (await byCommands(service, client));
    return { send, close: () => client.destroy() };
  };
  const another: LoadedClient["another"] = async (configuration, handlerOptions) => {
    if (requestHandler === undefined) {
      return await connect({ ...configuration, requestHandler: handlerOptions });
    }
    // The application's handler serves the first client, too.
    return { ...(await connect(configuration)), close: () => undefined };
  };
  return { ...(await connect({})), another };
}
