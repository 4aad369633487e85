/** What calls are about: from the ARNs that inputs name to streams, consumers and channels of this engine. */
import type { ProtectedResource } from "../../access/access-control.ts";
import { type Channel, channelNotFound, findChannel } from "../../channels/channels.ts";
import { InvalidArgumentError, ResourceInUseError } from "../../errors/index.ts";
import type { StreamDefinition } from "../../log/control-records.ts";
import { parseArn, streamArn } from "../../streams/arns.ts";
import { type Consumer, consumerByArn } from "../../streams/consumers.ts";
import { streamPrefix } from "../../streams/documents.ts";
import type { OperationContext } from "./operation.ts";

/** A resource that tags and policies can be attached to. */
export type NamedResource = ProtectedResource & {
  /** As AWS's messages name it: "stream clicks". */
  readonly label: string;
} & (
    | { readonly kind: "stream"; readonly stream: StreamDefinition }
    | { readonly kind: "consumer"; readonly stream: StreamDefinition; readonly consumer: Consumer }
    | { readonly kind: "channel"; readonly channel: Channel }
  );

/** A stream as policies protect it. */
export function streamResource(stream: StreamDefinition): ProtectedResource {
  return { arn: streamArn(stream.name), key: streamPrefix(stream.uid) };
}

/**
 * The resource that an input's ResourceARN names.
 *
 * @throws InvalidArgumentError when it is no ARN of such a resource, or StreamId is given.
 * @throws ResourceNotFoundError when there is no such resource.
 */
export function namedResource(
  context: OperationContext,
  input: { readonly ResourceARN: string; readonly StreamId?: string | undefined },
): NamedResource {
  const { catalogue, documents, clock } = context;
  const parsed = parseArn(input.ResourceARN);
  switch (parsed?.kind) {
    case "stream": {
      const { ResourceARN: StreamARN, StreamId } = input;
      const stream = catalogue.resolve({ StreamARN, StreamId });
      return { kind: "stream", label: `stream ${stream.name}`, stream, ...streamResource(stream) };
    }
    case "consumer": {
      const stream = catalogue.get(parsed.streamName);
      const consumer = consumerByArn(documents, stream, parsed, clock.nowMs());
      const { arn, key, name } = consumer;
      return { kind: "consumer", label: `consumer ${name}`, stream, consumer, arn, key };
    }
    case "channel": {
      const channel = findChannel(documents, parsed.channelName, clock.nowMs());
      if (channel === undefined) throw channelNotFound(input.ResourceARN);
      const { arn, key, name } = channel;
      return { kind: "channel", label: `channel ${name}`, channel, arn, key };
    }
    default:
      throw new InvalidArgumentError(
        `ResourceARN ${input.ResourceARN} is not the ARN of a stream, a consumer or a channel.`,
        { argument: "ResourceARN", value: input.ResourceARN },
      );
  }
}

/** Refuses to change what is being created, changed or deleted. @throws ResourceInUseError. */
export function requireActiveResource(context: OperationContext, resource: NamedResource): void {
  if (resource.kind === "stream") {
    context.catalogue.requireActive(resource.stream);
    return;
  }
  const { status } = resource.kind === "consumer" ? resource.consumer : resource.channel;
  if (status === "ACTIVE") return;
  throw new ResourceInUseError(
    `The ${resource.label} (${resource.arn}) is not ACTIVE, instead in state ${status}`,
    { argument: "ResourceARN", value: resource.arn, retryable: true },
  );
}
