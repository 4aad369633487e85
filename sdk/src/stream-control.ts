/** What is done to a stream of an engine as a whole: what AWS does too, and producers, keeping and metrics. Loaded when it is used. */
import {
  type ControlOperations,
  type EngineClient,
  ROOT_PRINCIPAL,
  type StreamDescription,
} from "@millrace/engine";
import type { InputOf, OperationName, OutputOf } from "@millrace/engine/model";
import { checkMembers, refuse } from "./check.ts";
import type { ProducerOptions } from "./producer/options.ts";
import type { Producer } from "./producer/producer.ts";
import * as admin from "./stream-admin.ts";
import { checkKeeping, type StreamKeeping } from "./stream-spec.ts";

/** Which datapoints of a metric are wanted. */
export interface MetricOptions {
  /** Only this shard, as in `shardId-000000000000`; its metric must be enabled. */
  readonly shard?: string;
  /** Only this registered consumer. */
  readonly consumer?: string;
  /** Minutes that begin then or later; three hours ago when absent. */
  readonly start?: Date;
  /** Minutes that begin before; now when absent. */
  readonly end?: Date;
}

/** What CloudWatch calls a statistic set, of one minute. */
export type MetricDatapoint = ReturnType<ControlOperations["streamMetrics"]>[number];

const KEPT_MS = 10_800_000;

async function invoke<Name extends OperationName>(
  client: EngineClient,
  operation: Name,
  input: InputOf<Name>,
): Promise<OutputOf<Name>> {
  const caller = { principal: ROOT_PRINCIPAL };
  return (await client.call("invoke", { operation, input, caller })) as OutputOf<Name>;
}

type EngineDesk = admin.ControlDesk<StreamDescription>;

function deskOf(client: EngineClient): EngineDesk {
  return {
    describe: (name) => client.call("describeStream", { name }),
    invoke: (operation, input) => invoke(client, operation, input),
  };
}

/** The same act for the streams of an engine. */
function overClient<Rest extends unknown[], Result>(
  act: (desk: EngineDesk, ...rest: Rest) => Result,
): (client: EngineClient, ...rest: Rest) => Result {
  return (client, ...rest) => act(deskOf(client), ...rest);
}

/** Open and closed shards by index. */
export const listShards = overClient(admin.listShards);
/** Splits a shard and gives its children, lower hash keys first. */
export const split = overClient(admin.split);
/** Merges two adjacent shards and gives their child. */
export const merge = overClient(admin.merge);
/** Changes the number of open shards, uniformly. */
export const scale = overClient(admin.scale<StreamDescription>);
/** Raises or lowers the retention period. */
export const retain = overClient(admin.retain<StreamDescription>);
/** Encrypts a stream under a master key. */
export const encrypt = overClient(admin.encrypt<StreamDescription>);
/** Ends a stream's encryption, if it has one. */
export const stopEncrypting = overClient(admin.stopEncrypting<StreamDescription>);
/** Registers a consumer. */
export const registerConsumer = overClient(admin.registerConsumer);
/** All registered consumers. */
export const listConsumers = overClient(admin.listConsumers);
/** Ends a consumer's registration. */
export const deregisterConsumer = overClient(admin.deregisterConsumer);

/** Opens a producer. `quotas`: whether the engine enforces AWS's. */
export async function producer(
  client: EngineClient,
  stream: StreamDescription,
  quotas: boolean,
  options: ProducerOptions | undefined,
): Promise<Producer> {
  const { openStreamProducer } = await import("./producer/open-producer.ts");
  return await openStreamProducer(client, stream, quotas, options);
}

/** Changes how a stream is kept. */
export async function configure(
  client: EngineClient,
  name: string,
  settings: StreamKeeping,
): Promise<StreamDescription> {
  return await client.call("configureStream", { name, ...checkKeeping(settings) });
}

function timeOf(argument: string, time: unknown): number {
  if (time instanceof Date && Number.isFinite(time.getTime())) return time.getTime();
  return refuse(argument, "a valid Date", time, "a valid Date");
}

/** Datapoints of one of CloudWatch's metrics. */
export async function metric(
  client: EngineClient,
  name: string,
  metricName: string,
  options: MetricOptions = {},
): Promise<MetricDatapoint[]> {
  checkMembers("options", options, ["shard", "consumer", "start", "end"]);
  const { shard, consumer, start, end } = options;
  const endMs = end === undefined ? (await client.call("now", {})) + 1 : timeOf("end", end);
  const startMs = start === undefined ? endMs - KEPT_MS : timeOf("start", start);
  return await client.call("streamMetrics", {
    ...{ name, metricName, startMs, endMs },
    ...(shard === undefined ? {} : { shardId: shard }),
    ...(consumer === undefined ? {} : { consumerName: consumer }),
  });
}
