/** Places that have streams for groups, and what their workers are told by. */
import { type GroupWorker, open, type UserRecord, type WorkerOptions } from "millrace";
import type {
  LeaseTable,
  RemoteConsumerGroup,
  RemoteGroupOptions,
  RemoteMillrace,
  RemoteStream,
} from "millrace/remote";
import { keep, Notes, numbered, textOf } from "../../groups/support.ts";
import { MemoryLeases } from "../memory-leases.ts";
import { openRunning } from "../running-clock.ts";
import { endLater, http1, startKinesalite, startServe } from "../support.ts";

/** Short, so that tests are; in turns of the running clock long enough for every call. */
export const SPANS = { failoverMs: 1000, handOverMs: 5000 } as const;

/** Somewhere with streams. */
export interface RemotePlace {
  readonly name: string;
  open(): Promise<RemoteMillrace>;
}

export const remotePlaces: readonly RemotePlace[] = [
  { name: "millrace serve", open: async () => await openRunning((await startServe()).url) },
  {
    name: "kinesalite",
    open: async () => await openRunning(await startKinesalite(), { requestHandler: http1() }),
  },
];

let engines = 0;

/** An engine in memory that is closed after the test. */
export async function openEngine() {
  engines += 1;
  const engine = await open({ name: `leases-${engines}`, storage: "memory" });
  endLater(() => engine.close());
  return engine;
}

/** Where leases can be. */
export const leasePlaces: readonly {
  readonly name: string;
  make(): Promise<RemoteGroupOptions["leases"]>;
}[] = [
  { name: "a table", make: async () => new MemoryLeases() },
  { name: "an engine", make: openEngine },
];

/** The group "g" from the oldest record on. */
export async function groupOf(
  stream: RemoteStream,
  leases: RemoteGroupOptions["leases"],
  options: Partial<RemoteGroupOptions> = {},
): Promise<RemoteConsumerGroup> {
  return await stream.group("g", { from: "TRIM_HORIZON", leases, ...SPANS, ...options });
}

/** A worker whose calls are noted. */
export function startNoted(
  group: RemoteConsumerGroup,
  options: WorkerOptions = {},
  notes: Notes = new Notes(),
): { worker: GroupWorker; notes: Notes } {
  return { worker: keep(group.start(notes.factory, options)), notes };
}

/** Rows of a table by lease key. */
export async function rowsOf(table: LeaseTable) {
  return (await table.list()).sort((a, b) => (a.leaseKey < b.leaseKey ? -1 : 1));
}

/** Puts records whose data are their numbers. */
export async function put(stream: RemoteStream, from: number, to: number): Promise<void> {
  const { failedRecordCount } = await stream.putRecords(numbered(from, to));
  if (failedRecordCount > 0) throw new Error("a put was refused");
}

/** Whether the records of each key come in the order of their numbers. */
export function inOrder(records: readonly UserRecord[]): boolean {
  const last = new Map<string, number>();
  return records.every((record) => {
    const number = Number(textOf(record));
    const before = last.get(record.partitionKey) ?? -1;
    last.set(record.partitionKey, number);
    return number > before;
  });
}
