/** Calls to a service of AWS on this machine's clock, through its official client. */
import { systemRandom, waitingClock } from "@millrace/engine";
import {
  type AwsService,
  KINESIS,
  type KinesisOperations,
  type OperationTypes,
} from "./aws-service.ts";
import { loadClient } from "./load-client.ts";
import { RemoteCalls } from "./remote-calls.ts";
import type { ServiceSettings } from "./service-options.ts";

/**
 * Loads a service's client, or takes the caller's, for calls that end in time and fail with errors of Millrace.
 * Nothing is sent yet. `attemptMs` is the longest time for one attempt of a call; all of the deadline when absent.
 *
 * @throws NotSupportedError when AWS's client is not installed.
 */
export async function openCalls<Operations extends OperationTypes>(
  service: AwsService,
  settings: ServiceSettings & { readonly attemptMs?: number },
): Promise<RemoteCalls<Operations>> {
  const client = await loadClient(service, settings);
  const { deadlineMs, attemptMs = deadlineMs } = settings;
  const place = (await placeOfOwnClient(service, settings)) ?? settings.place;
  // Its timers keep a process alive: between two polls there may be nothing else that does.
  const surroundings = { clock: waitingClock, random: systemRandom, deadlineMs, attemptMs, place };
  return new RemoteCalls(client, { ...surroundings, service });
}

/** Loaded when used: most applications give none. */
async function placeOfOwnClient(
  service: AwsService,
  { client }: ServiceSettings,
): Promise<string | undefined> {
  if (client === undefined) return undefined;
  const { placeOfClient } = await import("./client-place.ts");
  return await placeOfClient(service, client);
}

/** {@link openCalls} for Kinesis. @throws NotSupportedError when AWS's client is not installed. */
export function openKinesisCalls(
  settings: ServiceSettings,
): Promise<RemoteCalls<KinesisOperations>> {
  return openCalls(KINESIS, settings);
}
