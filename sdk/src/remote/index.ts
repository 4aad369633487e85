/**
 * millrace/remote: streams of a Kinesis elsewhere, with the calls of streams of an engine; and what plugins reach
 * other services of AWS with.
 */

export type { LeaseRow, LeaseTable } from "../lease-table.ts";
export type { ReplicaOptions } from "../replication/replica-options.ts";
export type { AwsService, OperationTypes } from "./aws-service.ts";
export type { RemoteConsumerGroup } from "./groups/remote-group.ts";
export type {
  RemoteGroupDescription,
  RemoteGroupOptions,
  RemoteLeaseDescription,
} from "./groups/remote-group-types.ts";
export { kinesis } from "./kinesis.ts";
export type {
  CredentialProvider,
  KinesisClientLike,
  KinesisOptions,
  RemoteCredentials,
  RequestHandlerLike,
} from "./kinesis-options.ts";
export { openCalls } from "./open-calls.ts";
export type { RemoteCalls } from "./remote-calls.ts";
export type { RemoteStreamDescription } from "./remote-description.ts";
export {
  ClockSkewError,
  CredentialsError,
  RemoteUnavailableError,
  WrongEndpointError,
} from "./remote-errors.ts";
export type { RemoteMillrace } from "./remote-millrace.ts";
export type { RemoteStream } from "./remote-stream.ts";
export type { RemoteStreams } from "./remote-streams.ts";
export type { RemoteTarget } from "./remote-target.ts";
export {
  checkServiceOptions,
  SERVICE_MEMBERS,
  type ServiceClientLike,
  type ServiceOptions,
  type ServiceSettings,
} from "./service-options.ts";
