/** Amazon Resource Names of this engine. Any ARN that names our stream resolves, whatever its account and region. */
import { ACCOUNT_ID } from "../errors/index.ts";

/** Region that ARNs name. */
export const REGION = "us-east-1";

const PREFIX = `arn:aws:kinesis:${REGION}:${ACCOUNT_ID}`;
const STREAM = /^arn:aws[^:]*:kinesis:[^:]*:\d{12}:stream\/([a-zA-Z0-9_.-]+)$/;
const CONSUMER =
  /^arn:aws[^:]*:kinesis:[^:]*:\d{12}:stream\/([a-zA-Z0-9_.-]+)\/consumer\/([a-zA-Z0-9_.-]+):(\d+)$/;
const CHANNEL = /^arn:aws[^:]*:kinesis:[^:]*:\d{12}:channel\/([a-zA-Z0-9_.-]+)$/;

/** What an ARN names. */
export type Resource =
  | { readonly kind: "stream"; readonly streamName: string }
  | {
      readonly kind: "consumer";
      readonly streamName: string;
      readonly consumerName: string;
      /** Creation of the consumer, whole seconds since the Unix epoch. */
      readonly createdSeconds: number;
    }
  | { readonly kind: "channel"; readonly channelName: string };

/** ARN of a stream of this engine. */
export function streamArn(name: string): string {
  return `${PREFIX}:stream/${name}`;
}

/** ARN of a registered consumer. */
export function consumerArn(
  streamName: string,
  consumerName: string,
  createdSeconds: number,
): string {
  return `${streamArn(streamName)}/consumer/${consumerName}:${createdSeconds}`;
}

/** ARN of a channel. */
export function channelArn(name: string): string {
  return `${PREFIX}:channel/${name}`;
}

/** What an ARN names, or undefined when it is none of ours. */
export function parseArn(arn: string): Resource | undefined {
  const stream = STREAM.exec(arn);
  if (stream !== null) return { kind: "stream", streamName: stream[1] ?? "" };
  const consumer = CONSUMER.exec(arn);
  if (consumer !== null) {
    const [, streamName = "", consumerName = "", seconds] = consumer;
    return { kind: "consumer", streamName, consumerName, createdSeconds: Number(seconds) };
  }
  const channel = CHANNEL.exec(arn);
  return channel === null ? undefined : { kind: "channel", channelName: channel[1] ?? "" };
}
