/** millrace/remote: streams of a Kinesis elsewhere, with the calls of streams of an engine. */
export { kinesis } from "./kinesis.ts";
export type {
  CredentialProvider,
  KinesisClientLike,
  KinesisOptions,
  RemoteCredentials,
  RequestHandlerLike,
} from "./kinesis-options.ts";
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
