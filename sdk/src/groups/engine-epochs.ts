/** Epochs in an engine: checkpoints, state and outputs in one step. One whose outcome is not known is committed again. */
import {
  type EngineClient,
  type EpochState,
  LeaseLostError,
  MillraceError,
  type NewestShard,
  type PackedBatch,
  pause,
  RecordTooLargeError,
  ResourceNotFoundError,
  shardIndexOf,
} from "@millrace/engine";
import { backOffMs } from "./back-off.ts";
import type { EpochEffects, EpochStep, EpochStore } from "./epoch-committer.ts";
import { copyOf, type EpochOutputs } from "./epoch-outputs.ts";
import type { StateValue } from "./group-types.ts";

/** First pause before an epoch is committed again, in ms. */
const RETRY_MS = 100;

/** What epochs of one worker are committed with. */
export interface EngineEpochsParts {
  readonly client: EngineClient;
  readonly groupName: string;
  readonly workerId: string;
  readonly outputs: EpochOutputs;
}

/** What an epoch puts out, as the engine takes it. */
interface PackedOutputs {
  readonly batches: readonly PackedBatch[];
  readonly newestShards: readonly NewestShard[];
}

/** See above. */
export class EngineEpochs implements EpochStore {
  readonly #parts: EngineEpochsParts;

  constructor(parts: EngineEpochsParts) {
    this.#parts = parts;
  }

  async settle(steps: readonly EpochStep[], effects: EpochEffects): Promise<void> {
    const { state = {}, childState = {} } = effects;
    const [first] = steps;
    const changes = [
      ...(first === undefined ? [] : changesOf(first.lease.shardIndex, state)),
      ...Object.entries(childState).flatMap(([id, own]) => changesOf(shardIndexOf(id), own)),
    ];
    await this.#withOutputs(effects, (outputs) => this.#commit(steps, changes, outputs));
  }

  /** Packs the outputs, anew when a stream of theirs may be another one by now, or take larger records. */
  async #withOutputs(
    { outputs: records = [], newestShards: newest = {} }: EpochEffects,
    commit: (outputs: PackedOutputs) => Promise<void>,
  ): Promise<void> {
    if (records.length === 0) return await commit({ batches: [], newestShards: [] });
    const { outputs } = this.#parts;
    const attempt = async (): Promise<void> => {
      const newestShards = await outputs.newestByUid(newest);
      await commit({ batches: await outputs.pack(records), newestShards });
    };
    try {
      await attempt();
    } catch (error) {
      const stale = error instanceof ResourceNotFoundError || error instanceof RecordTooLargeError;
      if (!stale) throw error;
      outputs.forget();
      await attempt();
    }
  }

  /** Commits until it is known what came of it. */
  async #commit(
    steps: readonly EpochStep[],
    state: readonly EpochState[],
    { batches, newestShards }: PackedOutputs,
  ): Promise<void> {
    const { client, groupName, workerId } = this.#parts;
    const checkpoints = steps.map(({ lease, checkpoint }) => {
      const { shardIndex, leaseCounter, nextEpoch: epoch } = lease;
      return { shardIndex, leaseCounter, epoch, checkpoint };
    });
    const companions = steps.flatMap(
      ({ lease, checkpoint }) => lease.companion?.stateAt(checkpoint) ?? [],
    );
    const all = [...state, ...companions];
    const commit = { groupName, workerId, checkpoints, state: all, newestShards };
    for (let failures = 1; ; failures++) {
      try {
        await client.commitEpoch(commit, batches.map(copyOf));
        for (const { lease, checkpoint } of steps) lease.advance(checkpoint);
        return;
      } catch (error) {
        const unsure = error instanceof MillraceError && error.indeterminate && !client.closed;
        if (!unsure) {
          if (error instanceof LeaseLostError && steps.length === 1) steps[0]?.lease.lose(error);
          throw error;
        }
        await pause(client.clock, backOffMs(RETRY_MS, failures));
      }
    }
  }
}

function changesOf(
  shardIndex: number,
  state: Readonly<Record<string, StateValue>>,
): readonly EpochState[] {
  return Object.entries(state).map(([key, value]) => ({ shardIndex, key, value }));
}
