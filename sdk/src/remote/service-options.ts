/** What a service of AWS is reached with, and what is refused of it. Credentials are never shown. */
import { InvalidArgumentError } from "@millrace/engine";
import { checkInteger, refuse } from "../check.ts";
import type { AwsService } from "./aws-service.ts";
import { CredentialsError } from "./remote-errors.ts";

/** Credentials of AWS. */
export interface RemoteCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** When they end; the provider is then asked for others. */
  readonly expiration?: Date;
}

/** Asked when credentials are needed, and again when they end. */
export type CredentialProvider = () => Promise<RemoteCredentials>;

/** An official client: the aggregated one of its package, or the smaller one with `send` alone. */
export interface ServiceClientLike {
  send(...parameters: never[]): unknown;
}

/** What an official client sends its requests by. */
export interface RequestHandlerLike {
  handle(...parameters: never[]): unknown;
}

/** How a service of AWS is reached. */
export interface ServiceOptions {
  /** AWS's region, as `us-east-1`. */
  readonly region?: string;
  /** URL of what speaks the service's protocol; AWS's own of the region when absent. */
  readonly endpoint?: string | URL;
  /** Credentials, or what is asked for them. They are kept in memory only, and are in no error. */
  readonly credentials?: RemoteCredentials | CredentialProvider;
  /** What the official client sends by; its default when absent. */
  readonly requestHandler?: RequestHandlerLike;
  /**
   * An official client to be used instead of one that is made with `region`, `endpoint`, `credentials` and
   * `requestHandler`. It stays the caller's to destroy. Its endpoint and region are read of its `config`.
   */
  readonly client?: ServiceClientLike;
  /** Longest time for one call, with what is tried again of it, in ms: 100 to 600,000; 30,000 when absent. */
  readonly deadlineMs?: number;
}

/** Options that were checked and completed. */
export interface ServiceSettings {
  readonly region: string;
  readonly endpoint: string | undefined;
  readonly credentials: CredentialProvider;
  readonly requestHandler: RequestHandlerLike | undefined;
  readonly client: ServiceClientLike | undefined;
  readonly deadlineMs: number;
  /** What errors call the far side. */
  readonly place: string;
}

/** What errors call the far side of a client that does not tell its endpoint. */
export const PLACE_OF_CLIENT = "the client's endpoint";
/** What a client of the caller's brings along. */
const OF_CLIENT = ["region", "endpoint", "credentials", "requestHandler"] as const;
/** Names of the members of {@link ServiceOptions}. */
export const SERVICE_MEMBERS: readonly (keyof ServiceOptions)[] = [
  ...OF_CLIENT,
  "client",
  "deadlineMs",
];
const REGION = /^[a-z0-9-]{1,64}$/;

/** Refuses something that must not be shown. */
function refuseUnseen(argument: string, must: string): never {
  throw new InvalidArgumentError(`${argument} must be ${must}`, { argument, limit: must });
}

function checkEndpoint(endpoint: unknown): string | undefined {
  if (endpoint === undefined) return undefined;
  const text = endpoint instanceof URL ? endpoint.href : endpoint;
  const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") {
    if (url.username === "" && url.password === "") return url.href;
    refuseUnseen("endpoint", "a URL without a user name and a password");
  }
  return refuse("endpoint", "an http or https URL", endpoint, "http://… or https://…");
}

const MUST_BE_CREDENTIALS =
  "{accessKeyId, secretAccessKey, sessionToken?} or a function that gives them";

function areCredentials(value: unknown): value is RemoteCredentials {
  if (typeof value !== "object" || value === null) return false;
  const { accessKeyId, secretAccessKey, sessionToken } = value as Partial<RemoteCredentials>;
  const isText = (text: unknown): boolean => typeof text === "string" && text !== "";
  return (
    isText(accessKeyId) &&
    isText(secretAccessKey) &&
    (sessionToken === undefined || isText(sessionToken))
  );
}

function checkCredentials(source: unknown): CredentialProvider {
  if (areCredentials(source)) return async () => source;
  if (typeof source !== "function") refuseUnseen("credentials", MUST_BE_CREDENTIALS);
  const provide = source as () => unknown;
  return async () => {
    let given: unknown;
    try {
      given = await provide();
    } catch (cause) {
      throw new CredentialsError("the provider of credentials failed", {
        argument: "credentials",
        cause,
      });
    }
    if (areCredentials(given)) return given;
    throw new CredentialsError("the provider of credentials gave none", {
      argument: "credentials",
      limit: MUST_BE_CREDENTIALS,
    });
  };
}

function hasMethod(value: unknown, name: string): boolean {
  if (typeof value !== "object" || value === null || !(name in value)) return false;
  return typeof (value as Record<string, unknown>)[name] === "function";
}

function checkClient(service: AwsService, options: ServiceOptions): void {
  if (!hasMethod(options.client, "send"))
    refuseUnseen("client", `a client of ${service.packageName}`);
  for (const argument of OF_CLIENT) {
    if (options[argument] !== undefined) refuseUnseen(argument, "absent when a client is given");
  }
}

/** Checks and completes what a service is reached with; other members are not looked at. @throws InvalidArgumentError. */
export function checkServiceOptions(service: AwsService, options: ServiceOptions): ServiceSettings {
  const { client, requestHandler, region, deadlineMs = 30_000 } = options;
  if (client !== undefined) checkClient(service, options);
  else if (typeof region !== "string" || !REGION.test(region)) {
    refuse("region", "the name of a region", region, "as us-east-1");
  }
  if (requestHandler !== undefined && !hasMethod(requestHandler, "handle")) {
    refuseUnseen("requestHandler", "an object with a function handle");
  }
  const endpoint = checkEndpoint(options.endpoint);
  const place = endpoint ?? `${service.name} in ${region}`;
  return {
    region: region ?? "",
    endpoint,
    credentials: client === undefined ? checkCredentials(options.credentials) : noCredentials,
    requestHandler,
    client,
    deadlineMs: checkInteger("deadlineMs", deadlineMs, 100, 600_000),
    place: client === undefined ? place : PLACE_OF_CLIENT,
  };
}

/** A client of the caller's has its own. */
async function noCredentials(): Promise<never> {
  throw new CredentialsError("the client has credentials of its own");
}
