/** What a Kinesis elsewhere is reached with, and what is refused of it. Credentials are never shown. */
import { InvalidArgumentError } from "@millrace/engine";
import { checkInteger, checkMembers, checkOneOf, refuse } from "../check.ts";
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

/** An official client: `Kinesis` of @aws-sdk/client-kinesis, or its smaller `KinesisClient`. */
export interface KinesisClientLike {
  send(...parameters: never[]): unknown;
}

/** What an official client sends its requests by. */
export interface RequestHandlerLike {
  handle(...parameters: never[]): unknown;
}

/** How a Kinesis elsewhere is reached. */
export interface KinesisOptions {
  /** AWS's region, as `us-east-1`. */
  readonly region?: string;
  /** URL of what speaks Kinesis; AWS's own of the region when absent. */
  readonly endpoint?: string | URL;
  /** Credentials, or what is asked for them. They are kept in memory only, and are in no error. */
  readonly credentials?: RemoteCredentials | CredentialProvider;
  /** What the official client sends by; its default when absent, which in Node speaks HTTP/2. */
  readonly requestHandler?: RequestHandlerLike;
  /**
   * An official client to be used instead of one that is made with `region`, `endpoint`, `credentials` and
   * `requestHandler`. It stays the caller's to destroy. One that tries again by itself may store records twice.
   */
  readonly client?: KinesisClientLike;
  /** Longest time for one call, with what is tried again of it, in ms: 100 to 600,000; 30,000 when absent. */
  readonly deadlineMs?: number;
  /** Between two reads of a shard that had nothing new, in ms: 200 to 60,000; 1,000 when absent. */
  readonly pollMs?: number;
  /**
   * "partitionKey" when absent: of one partition key, a stream's `putRecord` and `putRecords` have one
   * record under way at a time, because PutRecords keeps no order. "nothing": up to 500 records in each
   * call, in whatever order and with whatever gaps the service stores them.
   */
  readonly orderedBy?: "partitionKey" | "nothing";
}

/** Options that were checked and completed. */
export interface KinesisSettings {
  readonly region: string;
  readonly endpoint: string | undefined;
  readonly credentials: CredentialProvider;
  readonly requestHandler: RequestHandlerLike | undefined;
  readonly client: KinesisClientLike | undefined;
  readonly deadlineMs: number;
  readonly pollMs: number;
  readonly ordered: boolean;
  /** What errors call the far side. */
  readonly place: string;
}

const MEMBERS = [
  "region",
  "endpoint",
  "credentials",
  "requestHandler",
  "client",
  "deadlineMs",
  "pollMs",
  "orderedBy",
];
/** What a client of the caller's brings along. */
const OF_CLIENT = ["region", "endpoint", "credentials", "requestHandler"] as const;
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

function checkClient(options: KinesisOptions): void {
  if (!hasMethod(options.client, "send"))
    refuseUnseen("client", "a client of @aws-sdk/client-kinesis");
  for (const argument of OF_CLIENT) {
    if (options[argument] !== undefined) refuseUnseen(argument, "absent when a client is given");
  }
}

/** @throws InvalidArgumentError. */
export function checkKinesisOptions(options: KinesisOptions): KinesisSettings {
  checkMembers("options", options, MEMBERS);
  const { client, requestHandler, region, deadlineMs = 30_000, pollMs = 1000 } = options;
  if (client !== undefined) checkClient(options);
  else if (typeof region !== "string" || !REGION.test(region)) {
    refuse("region", "the name of a region", region, "as us-east-1");
  }
  if (requestHandler !== undefined && !hasMethod(requestHandler, "handle")) {
    refuseUnseen("requestHandler", "an object with a function handle");
  }
  const endpoint = checkEndpoint(options.endpoint);
  const orderedBy = checkOneOf("orderedBy", options.orderedBy ?? "partitionKey", [
    "partitionKey",
    "nothing",
  ]);
  return {
    region: region ?? "",
    endpoint,
    credentials: client === undefined ? checkCredentials(options.credentials) : noCredentials,
    requestHandler,
    client,
    deadlineMs: checkInteger("deadlineMs", deadlineMs, 100, 600_000),
    pollMs: checkInteger("pollMs", pollMs, 200, 60_000),
    ordered: orderedBy === "partitionKey",
    place: client === undefined ? (endpoint ?? `Kinesis in ${region}`) : "the client's endpoint",
  };
}

/** A client of the caller's has its own. */
async function noCredentials(): Promise<never> {
  throw new CredentialsError("the client has credentials of its own");
}
