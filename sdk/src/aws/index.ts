/** millrace/aws: the faces by which AWS's own clients, service workers and servers use an engine. */
import { clientOf } from "../client-of.ts";
import type { Millrace } from "../millrace.ts";
import { type AwsClientConfig, type AwsOptions, clientConfig } from "./client-config.ts";
import type { AwsFace } from "./face.ts";
import {
  createFetchHandler,
  type FetchHandler,
  type FetchHandlerOptions,
} from "./fetch-handler.ts";
import * as requestHandler from "./request-handler.ts";

export type { AnswerOf, CallSettings, ShardEvent, ShardEvents } from "./calls.ts";
export type { AwsClientConfig, AwsOptions } from "./client-config.ts";
export { AwsFace } from "./face.ts";
export {
  createFetchHandler,
  type FetchHandler,
  type FetchHandlerOptions,
  type RequestInfo,
} from "./fetch-handler.ts";
export { answerKinesisRequests, serveServiceWorker } from "./service-worker.ts";

/** The configuration for `new KinesisClient(...)`: as `millrace.aws()`, with the face loaded already. */
export function awsClient(millrace: Millrace, options?: AwsOptions): AwsClientConfig {
  return clientConfig(clientOf(millrace), () => Promise.resolve(requestHandler), options);
}

/** The engine as a function from request to response, as for `requestHandler: { customFetch }`. */
export function awsFetch(millrace: Millrace, options?: FetchHandlerOptions): FetchHandler {
  return createFetchHandler(requestHandler.faceOf(clientOf(millrace)), options);
}

/** The engine as one function per operation, with the members of AWS's service model. */
export function awsFace(millrace: Millrace): AwsFace {
  return requestHandler.faceOf(clientOf(millrace));
}
