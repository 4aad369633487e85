/** How AWS's operations name the stream that they are about. */
import { InvalidArgumentError } from "../errors/index.ts";
import { parseArn } from "./arns.ts";

/** How AWS's operations name a stream. */
export interface StreamReference {
  readonly StreamName?: string | undefined;
  readonly StreamARN?: string | undefined;
  readonly StreamId?: string | undefined;
}

/** Name of the stream that a call names. @throws InvalidArgumentError. */
export function nameOf({ StreamName, StreamARN, StreamId }: StreamReference): string {
  if (StreamId !== undefined) {
    throw new InvalidArgumentError(
      "StreamId is reserved for future use. Use StreamARN or StreamName.",
      { argument: "StreamId", value: StreamId },
    );
  }
  if (StreamARN === undefined) {
    if (StreamName !== undefined) return StreamName;
    throw new InvalidArgumentError("Either StreamARN or StreamName must be provided.", {
      argument: "StreamName",
    });
  }
  const resource = parseArn(StreamARN);
  if (resource?.kind !== "stream") {
    throw new InvalidArgumentError(`StreamARN ${StreamARN} is not the ARN of a stream.`, {
      argument: "StreamARN",
      value: StreamARN,
    });
  }
  if (StreamName === undefined || StreamName === resource.streamName) return resource.streamName;
  throw new InvalidArgumentError(
    `StreamARN and StreamName must name the same stream: ${StreamARN}, ${StreamName}.`,
    { argument: "StreamName", value: StreamName },
  );
}
