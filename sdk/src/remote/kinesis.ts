/** Makes what `open` needs to reach a Kinesis elsewhere: AWS's, `millrace serve`, or any other. */
import { systemRandom, waitingClock } from "@millrace/engine";
import type { Backend } from "../backend.ts";
import { checkMembers, checkSignal } from "../check.ts";
import { checkKinesisOptions, type KinesisOptions } from "./kinesis-options.ts";
import { loadClient } from "./load-client.ts";
import { RemoteCalls } from "./remote-calls.ts";
import { RemoteMillrace } from "./remote-millrace.ts";

/**
 * A backend for `open({ backend })`. AWS's client, @aws-sdk/client-kinesis, is loaded when it is opened; no call is
 * made before one is asked for.
 *
 * @throws InvalidArgumentError when an option is malformed or unknown. Opening throws NotSupportedError
 * when AWS's client is not installed.
 */
export function kinesis(options: KinesisOptions): Backend<RemoteMillrace> {
  const settings = checkKinesisOptions(options);
  return {
    open: async (given) => {
      checkMembers("options", given, ["backend", "signal"]);
      checkSignal("signal", given.signal)?.throwIfAborted();
      const client = await loadClient(settings);
      const { deadlineMs, place, ordered, pollMs } = settings;
      // Its timers keep a process alive: between two polls there may be nothing else that does.
      const surroundings = { clock: waitingClock, random: systemRandom, deadlineMs, place };
      return new RemoteMillrace(new RemoteCalls(client, surroundings), { ordered, pollMs });
    },
  };
}
