/** Registered consumers: RegisterStreamConsumer, DeregisterStreamConsumer, DescribeStreamConsumer, ListStreamConsumers. */
import {
  ACCOUNT_ID,
  InvalidArgumentError,
  LimitExceededError,
  ResourceInUseError,
  ResourceNotFoundError,
} from "../../errors/index.ts";
import type { ControlRecord, StreamDefinition } from "../../log/control-records.ts";
import { formatPageToken } from "../../model/page-token.ts";
import type { InputOf, OperationName, StructureOf } from "../../model/shapes.ts";
import { hasAdvantage } from "../../streams/account.ts";
import { parseArn, streamArn } from "../../streams/arns.ts";
import {
  type Consumer,
  type ConsumerDocument,
  consumerByArn,
  consumerKey,
  consumerNotFound,
  consumersOf,
  findConsumer,
  removingRecords,
  sweepingRecords,
} from "../../streams/consumers.ts";
import { taggingRecords } from "../../streams/tags.ts";
import { locateActiveStream, locateStream } from "./located-stream.ts";
import type { Operation, OperationContext, OperationTable } from "./operation.ts";
import { pageOf, pageSize, readPageToken } from "./pages.ts";

/** Consumers of one stream; on-demand streams of an account with On-demand Advantage have more. */
const CONSUMERS_MAX = { standard: 20, advantage: 50 } as const;
/** Consumers of one stream that may be CREATING at once, when rates of control operations are enforced. */
const CREATING_MAX = 5;

/** A consumer with the stream it belongs to. */
interface Found {
  readonly stream: StreamDefinition;
  readonly consumer: Consumer;
}

const registerStreamConsumer: Operation<"RegisterStreamConsumer"> = async (
  context,
  input,
  caller,
) => {
  const { catalogue, clock, documents } = context;
  await catalogue.change(() => {
    if (input.Tags !== undefined)
      locateStream(context, input, { operation: "TagResource", caller });
    const call = { operation: "RegisterStreamConsumer", caller } as const;
    const stream = locateActiveStream(context, input, call);
    const nowMs = clock.nowMs();
    checkNew(context, stream, input.ConsumerName, nowMs);
    return [
      ...sweepingRecords(documents, stream, nowMs),
      ...registeringRecords(context, stream, input, nowMs),
    ];
  });
  const stream = catalogue.resolve(input);
  const consumer = findConsumer(documents, stream, input.ConsumerName, clock.nowMs());
  // Somebody may have deregistered it by now.
  if (consumer === undefined) throw consumerNotFound(input.ConsumerName);
  return { Consumer: describe(consumer) };
};

const deregisterStreamConsumer: Operation<"DeregisterStreamConsumer"> = async (
  context,
  input,
  { principal },
) => {
  const { access, catalogue, clock, documents } = context;
  const transitionMs = context.options.transitionMs ?? 0;
  await catalogue.change(() => {
    const { stream, consumer } = find(context, input);
    access.check(principal, "DeregisterStreamConsumer", consumer);
    if (consumer.status === "DELETING") return [];
    if (transitionMs === 0) return removingRecords(documents, stream.uid, consumer.name);
    const key = consumerKey(stream.uid, consumer.name);
    const document = documents.get<ConsumerDocument>(key);
    if (document === undefined) return [];
    return [documents.putting(key, { ...document, deletedMs: clock.nowMs() + transitionMs })];
  });
  return undefined;
};

const describeStreamConsumer: Operation<"DescribeStreamConsumer"> = (
  context,
  input,
  { principal },
) => {
  const { stream, consumer } = find(context, input);
  context.access.check(principal, "DescribeStreamConsumer", consumer);
  return { ConsumerDescription: { ...describe(consumer), StreamARN: streamArn(stream.name) } };
};

const listStreamConsumers: Operation<"ListStreamConsumers"> = (context, input, caller) => {
  const { clock, documents } = context;
  const { NextToken, MaxResults, StreamCreationTimestamp } = input;
  const operation: OperationName = "ListStreamConsumers";
  if (NextToken !== undefined && StreamCreationTimestamp !== undefined) {
    throw new InvalidArgumentError(
      "NextToken and StreamCreationTimestamp cannot be provided together.",
      { argument: "StreamCreationTimestamp" },
    );
  }
  const stream = locateStream(context, input, { operation, caller });
  checkCreation(stream, StreamCreationTimestamp);
  const nowMs = clock.nowMs();
  const token = NextToken === undefined ? undefined : readPageToken(NextToken, operation, nowMs);
  if (token !== undefined && token.streamUid !== stream.uid) {
    throw new InvalidArgumentError("NextToken belongs to another stream.", {
      argument: "NextToken",
    });
  }
  const { page, more } = pageOf(
    consumersOf(documents, stream, nowMs),
    token?.position,
    pageSize(MaxResults),
  );
  const position = page.at(-1)?.name;
  if (!more || position === undefined) return { Consumers: page.map(describe) };
  const next = { operation, streamUid: stream.uid, position, issuedMs: nowMs, filter: "" };
  return { Consumers: page.map(describe), NextToken: formatPageToken(next) };
};

/** The operations of this family. */
export const consumerOperations: Pick<
  OperationTable,
  | "RegisterStreamConsumer"
  | "DeregisterStreamConsumer"
  | "DescribeStreamConsumer"
  | "ListStreamConsumers"
> = {
  RegisterStreamConsumer: registerStreamConsumer,
  DeregisterStreamConsumer: deregisterStreamConsumer,
  DescribeStreamConsumer: describeStreamConsumer,
  ListStreamConsumers: listStreamConsumers,
};

function checkNew(
  context: OperationContext,
  stream: StreamDefinition,
  consumerName: string,
  nowMs: number,
): void {
  const { documents, options } = context;
  const consumers = consumersOf(documents, stream, nowMs);
  if (consumers.some(({ name }) => name === consumerName)) {
    throw new ResourceInUseError(
      `Consumer ${consumerName} of stream ${stream.name} under account ${ACCOUNT_ID} already exists.`,
      { argument: "ConsumerName", value: consumerName },
    );
  }
  const advantage = stream.mode === "ON_DEMAND" && hasAdvantage(documents, nowMs);
  const limit = advantage ? CONSUMERS_MAX.advantage : CONSUMERS_MAX.standard;
  if (consumers.length >= limit) {
    throw new LimitExceededError(
      `Stream ${stream.name} under account ${ACCOUNT_ID} has ${consumers.length} registered ` +
        `consumers. Limit: ${limit}.`,
      { argument: "ConsumerName", value: consumers.length + 1, limit },
    );
  }
  const creating = consumers.filter(({ status }) => status === "CREATING").length;
  if (options.controlQuotas === true && creating >= CREATING_MAX) {
    throw new LimitExceededError(
      `Stream ${stream.name} under account ${ACCOUNT_ID} has ${creating} consumers in state ` +
        `CREATING. Limit: ${CREATING_MAX}.`,
      { argument: "ConsumerName", value: creating + 1, limit: CREATING_MAX, retryable: true },
    );
  }
}

function registeringRecords(
  { documents, options }: OperationContext,
  stream: StreamDefinition,
  input: InputOf<"RegisterStreamConsumer">,
  nowMs: number,
): ControlRecord[] {
  const { ConsumerName: name, Tags: tags = {} } = input;
  const key = consumerKey(stream.uid, name);
  const document: ConsumerDocument = {
    createdMs: nowMs,
    activeMs: nowMs + (options.transitionMs ?? 0),
  };
  const tagged = { label: `consumer ${name}`, key: `${key}/` };
  return [documents.putting(key, document), ...taggingRecords(documents, tagged, tags, {})];
}

/** The consumer that a call names: by its ARN, or by its stream's ARN and its name, or by all three. */
function find(
  context: OperationContext,
  input: InputOf<"DescribeStreamConsumer"> | InputOf<"DeregisterStreamConsumer">,
): Found {
  const { catalogue, documents, clock } = context;
  const { StreamARN, StreamId, ConsumerName, ConsumerARN } = input;
  if (ConsumerARN !== undefined) return findByArn(context, ConsumerARN, input);
  if (StreamARN === undefined || ConsumerName === undefined) {
    throw new InvalidArgumentError(
      "Either ConsumerARN or both StreamARN and ConsumerName must be provided.",
      { argument: "ConsumerARN" },
    );
  }
  const stream = catalogue.resolve({ StreamARN, StreamId });
  const consumer = findConsumer(documents, stream, ConsumerName, clock.nowMs());
  if (consumer === undefined) throw consumerNotFound(ConsumerName);
  return { stream, consumer };
}

/** The consumer of an ARN, when whatever else a call names it by agrees. */
function findByArn(
  { catalogue, documents, clock }: OperationContext,
  arn: string,
  also: Pick<InputOf<"DescribeStreamConsumer">, "StreamARN" | "StreamId" | "ConsumerName">,
): Found {
  const resource = parseArn(arn);
  if (resource?.kind !== "consumer") {
    throw new InvalidArgumentError(`ConsumerARN ${arn} is not the ARN of a consumer.`, {
      argument: "ConsumerARN",
      value: arn,
    });
  }
  const { StreamARN, StreamId, ConsumerName = resource.consumerName } = also;
  const stream =
    StreamARN === undefined && StreamId === undefined
      ? catalogue.get(resource.streamName)
      : catalogue.resolve({ StreamARN, StreamId });
  if (stream.name !== resource.streamName || ConsumerName !== resource.consumerName) {
    throw new InvalidArgumentError(
      `ConsumerARN ${arn} does not name the consumer ${ConsumerName} of stream ${stream.name}.`,
      { argument: "ConsumerARN", value: arn },
    );
  }
  return { stream, consumer: consumerByArn(documents, stream, resource, clock.nowMs()) };
}

/** Timestamps travel in seconds, so that only their seconds are compared. */
function checkCreation(stream: StreamDefinition, created: Date | undefined): void {
  if (created === undefined) return;
  if (Math.floor(created.getTime() / 1000) === Math.floor(stream.createdMs / 1000)) return;
  throw ResourceNotFoundError.stream(stream.name);
}

function describe(consumer: Consumer): StructureOf<"Consumer"> {
  return {
    ConsumerName: consumer.name,
    ConsumerARN: consumer.arn,
    ConsumerStatus: consumer.status,
    ConsumerCreationTimestamp: new Date(consumer.createdMs),
  };
}
