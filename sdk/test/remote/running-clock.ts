/**
 * Time that is counted in turns of this process's event loop, and backends in it: what a slow or halted machine takes
 * away counts for one turn, so that no lease is lost and no record too old because of it.
 */
import { pause, systemRandom } from "@millrace/engine";
import type { RemoteMillrace } from "millrace/remote";
import { VirtualClock } from "../../../engine/host/src/platform/virtual-clock.ts";
import { KINESIS } from "../../src/remote/aws-service.ts";
import { checkKinesisOptions, type KinesisOptions } from "../../src/remote/kinesis-options.ts";
import { loadClient } from "../../src/remote/load-client.ts";
import { RemoteCalls } from "../../src/remote/remote-calls.ts";
import { RemoteMillrace as OpenBackend } from "../../src/remote/remote-millrace.ts";
import { CREDENTIALS, endLater } from "./support.ts";

/** What passes in a turn. A call over HTTP takes about five turns; the shortest deadline of a test lasts for thirty. */
const TURN_MS = 10;

/** See above. Its wall time is the machine's, as that of the services that are called. */
class RunningClock extends VirtualClock {
  constructor() {
    super(0);
    this.#turn();
  }

  override nowMs(): number {
    return Date.now();
  }

  #turn(): void {
    setTimeout(() => {
      this.advanceBy(TURN_MS);
      // What came over the network meanwhile is taken in first.
      setImmediate(() => this.#turn());
    }, 1).unref();
  }
}

/** The time of all backends that {@link openRunning} opens. */
export const runningClock = new RunningClock();

/** Resolves when so much of {@link runningClock}'s time has passed, in ms. */
export async function passed(delayMs: number): Promise<void> {
  await pause(runningClock, delayMs);
}

/** As `openRemote`, but its pauses, deadlines and leases are in {@link runningClock}'s time. */
export async function openRunning(
  endpoint: string,
  options: Partial<KinesisOptions> = {},
): Promise<RemoteMillrace> {
  const given = { region: "us-east-1", endpoint, credentials: CREDENTIALS, pollMs: 200 };
  const settings = checkKinesisOptions({ ...given, ...options });
  const { deadlineMs, place, ordered, pollMs } = settings;
  const client = await loadClient(KINESIS, settings);
  const surroundings = { clock: runningClock, random: systemRandom, deadlineMs, place };
  const remote = new OpenBackend(new RemoteCalls(client, surroundings), { ordered, pollMs });
  endLater(() => remote.close());
  return remote;
}
