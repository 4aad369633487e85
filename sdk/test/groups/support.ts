/** Consumer groups in this thread for the tests: processors that note what they get, and ways to wait for it. */
import type {
  GroupWorker,
  InitializeInput,
  ProcessInput,
  ShardProcessor,
  Stream,
  UserRecord,
  WorkerEvent,
} from "millrace";
import { afterEach, vi } from "vitest";
import { WORKER_EVENT_KINDS } from "../../src/groups/group-types.ts";

/** Longest wait for something that must happen, in ms; the machine may be busy. */
const PATIENCE_MS = 20_000;

/** Resolves when a condition holds. */
export async function until(condition: () => unknown, patienceMs = PATIENCE_MS): Promise<void> {
  await vi.waitFor(
    async () => {
      if (!(await condition())) throw new Error(`still not so: ${condition}`);
    },
    { timeout: patienceMs, interval: 5 },
  );
}

const DECODER = new TextDecoder();

/** A user record's data as text. */
export function textOf({ data }: Pick<UserRecord, "data">): string {
  return DECODER.decode(data);
}

/** What processors of one worker were called with. */
export class Notes {
  /** Calls of all processors in their order, as `shardId-000000000000 initialize`. */
  readonly calls: string[] = [];
  readonly records: UserRecord[] = [];
  readonly states: InitializeInput["state"][] = [];
  /** May throw, or take its time. */
  onRecords: (input: ProcessInput, shardId: string) => void | Promise<void> = () => undefined;

  /** Texts of all records, in the order in which they came. */
  get texts(): string[] {
    return this.records.map(textOf);
  }

  /** Makes processors. */
  readonly factory = ({ shardId }: { readonly shardId: string }): ShardProcessor => {
    const note = (call: string): void => {
      this.calls.push(`${shardId} ${call}`);
    };
    return {
      initialize: ({ state }) => {
        note("initialize");
        this.states.push(state);
      },
      processRecords: async (input) => {
        await this.onRecords(input, shardId);
        note("processRecords");
        this.records.push(...input.records);
      },
      leaseLost: () => note("leaseLost"),
      shardEnded: () => note("shardEnded"),
      shutdownRequested: () => note("shutdownRequested"),
    };
  };
}

/** All events of a worker from now on. */
export function eventsOf(worker: GroupWorker): WorkerEvent[] {
  const events: WorkerEvent[] = [];
  for (const kind of WORKER_EVENT_KINDS) worker.on(kind, (event) => events.push(event));
  return events;
}

/** Records `from` up to `to`, whose data are their numbers. */
export function numbered(from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => ({
    partitionKey: `key-${(from + i) % 23}`,
    data: `${from + i}`,
  }));
}

/** Puts {@link numbered} records. */
export async function put(stream: Stream, from: number, to: number): Promise<void> {
  const { failedRecordCount } = await stream.putRecords(numbered(from, to));
  if (failedRecordCount > 0) throw new Error("a put was refused");
}

/** Numbers as texts, `from` up to `to`. */
export function texts(from: number, to: number): string[] {
  return numbered(from, to).map(({ data }) => data);
}

/** Texts in the order of the numbers that they are. */
export function sorted(numbers: readonly string[]): string[] {
  return [...numbers].sort((a, b) => Number(a) - Number(b));
}

const workers: GroupWorker[] = [];

/** Stops the worker before its engine is closed. */
export function keep(worker: GroupWorker | undefined): GroupWorker {
  if (worker === undefined) throw new Error("there is no worker");
  workers.push(worker);
  return worker;
}

afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.stop({ graceful: false });
});
