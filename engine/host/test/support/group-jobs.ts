/** A worker of a consumer group that copies records into another stream, one epoch after the other. */
import { PART_SHARD_CLOSED } from "@millrace/core/layout";
import { GroupSessionLostError, LeaseLostError } from "../../src/errors/index.ts";
import type {
  EngineService,
  OwnedLease,
  StreamDescription,
} from "../../src/service/engine-service.ts";
import { type ReadPart, readSlice } from "./batches.ts";
import { at, outputOf, TestWorker } from "./groups.ts";

const never = new AbortController().signal;

/** What a job works with. */
export interface JobSettings {
  readonly service: EngineService;
  readonly memberId: string | null;
  readonly workerId: string;
  readonly input: StreamDescription;
  readonly output: StreamDescription;
  /** Told of every lease that the worker is given. */
  readonly onLease?: (lease: OwnedLease) => void;
  /** What the work on one batch takes, between the read and the commit. */
  readonly work?: () => Promise<void>;
}

/** How far the worker is with one lease. */
interface Progress {
  epoch: number;
  /** Index of the last record that is copied. */
  done: number;
  nextIndex: number;
}

/** Copies until it is stopped. */
export class CopyJob {
  readonly settings: JobSettings;
  /** By shard index and lease counter. */
  readonly #progress = new Map<string, Progress>();
  #worker: TestWorker | undefined;
  #stopped = false;
  /** Whether the last round copied something: otherwise time must pass before the next one. */
  #busy = false;
  /** Ends when the job does; rejects when something failed that must not. */
  readonly done: Promise<void>;

  constructor(settings: JobSettings) {
    this.settings = settings;
    this.done = this.#run();
    this.done.catch(() => undefined);
  }

  /** Gives its leases back and ends. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.done;
    await this.#worker?.leave();
  }

  /** Ends without a word, as something that crashed. */
  abandon(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#round();
      } catch (error) {
        if (error instanceof GroupSessionLostError) this.#worker = undefined;
        else if (!(error instanceof LeaseLostError)) throw error;
        this.#progress.clear();
        if (this.#worker !== undefined) this.#worker.version = 0;
      }
    }
  }

  async #round(): Promise<void> {
    const { service, workerId, memberId, onLease } = this.settings;
    this.#worker ??= await TestWorker.join(service, "group", workerId, { memberId });
    const worker = this.#worker;
    const before = worker.version;
    await worker.poll(this.#busy ? 0 : 50);
    this.#busy = false;
    if (worker.version !== before) this.#take(worker.leases, onLease);
    for (const lease of worker.leases) {
      if (this.#stopped) return;
      if (lease.handOver) {
        this.#progress.delete(nameOf(lease));
        await worker.release(lease.shardIndex);
      } else await this.#copy(worker, lease);
    }
  }

  #take(leases: readonly OwnedLease[], onLease: JobSettings["onLease"]): void {
    const known = new Set(leases.map(nameOf));
    for (const name of this.#progress.keys()) if (!known.has(name)) this.#progress.delete(name);
    for (const lease of leases) {
      onLease?.(lease);
      const { checkpoint, nextIndex, epoch } = lease;
      if (this.#progress.has(nameOf(lease))) continue;
      const done = "index" in checkpoint ? checkpoint.index : -1;
      this.#progress.set(nameOf(lease), { epoch, done, nextIndex });
    }
  }

  /** Copies what comes next of a shard; its last records together with its end. */
  async #copy(worker: TestWorker, lease: OwnedLease): Promise<void> {
    const progress = this.#progress.get(nameOf(lease));
    if (progress === undefined) return;
    const { output } = this.settings;
    const part = await this.#read(lease, progress.nextIndex);
    const records = part.records.filter(({ index }) => index > progress.done);
    const last = records.at(-1)?.index;
    const ended = (part.flags & PART_SHARD_CLOSED) !== 0;
    progress.nextIndex = part.nextIndex;
    if (last === undefined && !ended) return;
    const checkpoint = ended ? ({ at: "SHARD_END" } as const) : at(last ?? 0);
    await this.settings.work?.();
    const { shardIndex, leaseCounter } = lease;
    const { groupName, workerId } = worker;
    await worker.commit(
      {
        ...{ groupName, workerId, state: [{ shardIndex, key: "copied", value: last ?? null }] },
        checkpoints: [{ shardIndex, leaseCounter, epoch: progress.epoch + 1, checkpoint }],
      },
      records.length === 0 ? [] : [outputOf(output, records)],
    );
    this.#busy = true;
    progress.epoch += 1;
    if (last !== undefined) progress.done = last;
    if (ended) this.#progress.delete(nameOf(lease));
  }

  async #read({ shardIndex }: OwnedLease, nextIndex: number): Promise<ReadPart> {
    const { service, input } = this.settings;
    const slice = await service.read(
      {
        ...{ streamUid: input.uid, cursors: [{ shardIndex, nextIndex }] },
        ...{ recordsMax: 7, bytesMax: 1_048_576, waitMs: 0 },
      },
      never,
    );
    const [part] = readSlice(slice);
    if (part === undefined) throw new Error("a slice without a part");
    return part;
  }
}

function nameOf({ shardIndex, leaseCounter }: OwnedLease): string {
  return `${shardIndex}/${leaseCounter}`;
}
