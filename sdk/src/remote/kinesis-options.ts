/** What a Kinesis elsewhere is reached with, and how it is read and written; and what is refused of that. */
import { checkInteger, checkMembers, checkOneOf } from "../check.ts";
import { KINESIS } from "./aws-service.ts";
import {
  checkServiceOptions,
  type RequestHandlerLike,
  SERVICE_MEMBERS,
  type ServiceClientLike,
  type ServiceOptions,
  type ServiceSettings,
} from "./service-options.ts";

export type {
  CredentialProvider,
  RemoteCredentials,
  RequestHandlerLike,
} from "./service-options.ts";

/** An official client: `Kinesis` of @aws-sdk/client-kinesis, or its smaller `KinesisClient`. */
export type KinesisClientLike = ServiceClientLike;

/** How a Kinesis elsewhere is reached. */
export interface KinesisOptions extends ServiceOptions {
  /** What the official client sends by; its default when absent, which in Node speaks HTTP/2. */
  readonly requestHandler?: RequestHandlerLike;
  /**
   * An official client to be used instead of one that is made with `region`, `endpoint`, `credentials` and
   * `requestHandler`. It stays the caller's to destroy. One that tries again by itself may store records twice.
   */
  readonly client?: KinesisClientLike;
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
export interface KinesisSettings extends ServiceSettings {
  readonly pollMs: number;
  readonly ordered: boolean;
}

/** @throws InvalidArgumentError. */
export function checkKinesisOptions(options: KinesisOptions): KinesisSettings {
  checkMembers("options", options, [...SERVICE_MEMBERS, "pollMs", "orderedBy"]);
  const settings = checkServiceOptions(KINESIS, options);
  const orderedBy = checkOneOf("orderedBy", options.orderedBy ?? "partitionKey", [
    "partitionKey",
    "nothing",
  ]);
  return {
    ...settings,
    pollMs: checkInteger("pollMs", options.pollMs ?? 1000, 200, 60_000),
    ordered: orderedBy === "partitionKey",
  };
}
