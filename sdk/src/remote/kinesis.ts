/** Makes what `open` needs to reach a Kinesis elsewhere: AWS's, `millrace serve`, or any other. */
import type { Backend } from "../backend.ts";
import { checkMembers, checkSignal } from "../check.ts";
import { checkKinesisOptions, type KinesisOptions } from "./kinesis-options.ts";
import { openKinesisCalls } from "./open-calls.ts";
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
      const signal = checkSignal("signal", given.signal);
      signal?.throwIfAborted();
      const { ordered, pollMs } = settings;
      const calls = await openKinesisCalls(settings);
      if (signal?.aborted) calls.close();
      signal?.throwIfAborted();
      return new RemoteMillrace(calls, { ordered, pollMs });
    },
  };
}
