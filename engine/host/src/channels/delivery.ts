/** Delivery of channels: what there is of it, until the engine has a store of objects to deliver into. */
import { NotSupportedError } from "../errors/index.ts";
import type { Channel } from "./channels.ts";

/**
 * Delivers what a channel's stream has gained.
 *
 * @throws NotSupportedError always: buckets and tables are objects, and this build has no place for them.
 */
export function deliver(channel: Channel): never {
  const { name, document } = channel;
  const destination =
    document.configuration.S3DestinationConfiguration === undefined ? "a table" : "a bucket";
  throw new NotSupportedError(
    `Channel ${name} cannot deliver from stream ${document.streamName}: ${destination} needs an ` +
      "object store, which this engine does not have yet. Everything else about channels works.",
    { argument: "ChannelName", value: name },
  );
}
