/** Changes of streams elsewhere: made, and waited for until the stream is active again. */
import { DeadlineError, ResourceNotFoundError } from "@millrace/engine";
import type { InputOf, OperationName, OutputOf } from "@millrace/engine/model";
import type { ControlDesk } from "../stream-admin.ts";
import type { RemoteCalls } from "./remote-calls.ts";
import { describeRemote, type RemoteStreamDescription, summarize } from "./remote-description.ts";

/** AWS names no limit; large streams take minutes. In ms. */
const TRANSITION_MS_MAX = 600_000;
const FIRST_LOOK_MS = 50;
const LOOK_MS_MAX = 2000;

/** Changes after which a stream is UPDATING for a while. */
const TRANSITIONS: ReadonlySet<OperationName> = new Set([
  "CreateStream",
  "DecreaseStreamRetentionPeriod",
  "IncreaseStreamRetentionPeriod",
  "MergeShards",
  "SplitShard",
  "StartStreamEncryption",
  "StopStreamEncryption",
  "UpdateShardCount",
] satisfies OperationName[]);

/** AWS's control operations over the network. */
export class RemoteDesk implements ControlDesk<RemoteStreamDescription> {
  readonly #calls: RemoteCalls;

  constructor(calls: RemoteCalls) {
    this.#calls = calls;
  }

  /** @throws ResourceNotFoundError, and what calls throw. */
  describe(name: string): Promise<RemoteStreamDescription> {
    return describeRemote(this.#calls, name);
  }

  /** Makes a call; one that changes a stream resolves when the stream is active again. @throws what calls throw. */
  async invoke<Name extends OperationName>(
    operation: Name,
    input: InputOf<Name>,
  ): Promise<OutputOf<Name>> {
    const output = await this.#calls.call(operation, input);
    if (TRANSITIONS.has(operation) && "StreamName" in input) {
      await this.active(String(input.StreamName));
    }
    return output;
  }

  /** Resolves when a stream is active. @throws DeadlineError after ten minutes, ResourceNotFoundError. */
  async active(name: string): Promise<void> {
    await this.#until(name, "active", async () => {
      return (await summarize(this.#calls, name)).StreamStatus === "ACTIVE";
    });
  }

  /** Resolves when there is no stream of a name. @throws DeadlineError after ten minutes. */
  async gone(name: string): Promise<void> {
    await this.#until(name, "gone", async () => {
      try {
        await summarize(this.#calls, name);
        return false;
      } catch (error) {
        if (error instanceof ResourceNotFoundError) return true;
        throw error;
      }
    });
  }

  async #until(name: string, state: string, reached: () => Promise<boolean>): Promise<void> {
    const { clock, place } = this.#calls;
    const endMs = clock.monotonicMs() + TRANSITION_MS_MAX;
    for (
      let lookMs = FIRST_LOOK_MS;
      !(await reached());
      lookMs = Math.min(2 * lookMs, LOOK_MS_MAX)
    ) {
      if (clock.monotonicMs() + lookMs > endMs) {
        throw new DeadlineError(
          `stream ${name} of ${place} is not ${state} after ${TRANSITION_MS_MAX / 60_000} minutes`,
          { argument: "name", value: name, limit: TRANSITION_MS_MAX },
        );
      }
      await this.#calls.pause(lookMs);
    }
  }
}
