/** Opens a producer of an engine's stream. Loaded when it is used. */
import { type EngineClient, type StreamDescription, systemRandom } from "@millrace/engine";
import { EngineTarget } from "./engine-target.ts";
import type { ProducerOptions } from "./options.ts";
import { openProducer, type Producer } from "./producer.ts";

/** `quotas`: whether the engine enforces AWS's. @throws as `stream.producer()`. */
export async function openStreamProducer(
  client: EngineClient,
  stream: StreamDescription,
  quotas: boolean,
  options: ProducerOptions | undefined,
): Promise<Producer> {
  const target = new EngineTarget(client, stream, quotas);
  const { clock } = client;
  const producer = await openProducer(target, options, { clock, random: systemRandom });
  // What it buffers goes with the page's last batches, which are stored by whoever leads next.
  producer.onClosed(client.onLeave(() => producer.leave()));
  return producer;
}
