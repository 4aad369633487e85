/** The workers that run in this tab. They go on while the person looks at other places. */
import type { ConsumerGroup, GroupWorker, Millrace, WorkerOptions } from "millrace";
import { describeError, type ShownError } from "../live/advice.ts";
import { formatCount } from "../live/format.ts";
import { CountingProcessor, type WorkSettings } from "./counting-processor.ts";
import { GroupTally } from "./group-tally.ts";

const EVENTS_MAX = 100;

/** What has become of a worker. */
export type WorkerState = "working" | "stopping" | "stopped" | "killed" | "failed";

/** How a worker reads: see the SDK's `WorkerOptions`. */
export type Reads = NonNullable<WorkerOptions["reads"]>;

/** One worker of this tab. */
export interface CrewWorker {
  readonly workerId: string;
  readonly reads: Reads;
  readonly state: WorkerState;
  /** Records that it checkpointed. */
  readonly processed: number;
  /** Deliveries that threw. */
  readonly failures: number;
  /** Why it ended by itself; undefined where it did not. */
  readonly error: ShownError | undefined;
}

/** Something that befell a worker of this tab. */
export interface CrewEvent {
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly groupName: string;
  readonly workerId: string;
  readonly kind: "began" | "lease-lost" | "shard-ended" | "failed" | "stalled" | "ended";
  readonly shardId: string | undefined;
  readonly text: string;
}

interface Member {
  readonly worker: GroupWorker;
  shown: CrewWorker;
}

/** What belongs to one group of one life. */
interface Post {
  readonly members: Member[];
  readonly tally: GroupTally;
  settings: WorkSettings;
}

const crews = new WeakMap<Millrace, Crew>();

/** Names this tab in the ids of its workers. */
const TAB_ID = Array.from(crypto.getRandomValues(new Uint8Array(2)), (byte) =>
  byte.toString(16).padStart(2, "0"),
).join("");

/** See above. */
export class Crew {
  readonly #posts = new Map<string, Post>();
  #events: readonly CrewEvent[] = [];
  #started = 0;

  /** The crew of an open engine. */
  static of(millrace: Millrace): Crew {
    const found = crews.get(millrace) ?? new Crew();
    crews.set(millrace, found);
    return found;
  }

  /** The newest events of a group's workers, the newest first. */
  events(groupName: string): readonly CrewEvent[] {
    return this.#events.filter((event) => event.groupName === groupName);
  }

  /** Workers of a group, in the order in which they were started. */
  workers(group: ConsumerGroup): readonly CrewWorker[] {
    return this.#post(group).members.map(({ shown }) => shown);
  }

  /** What this tab's workers did for a group. */
  tally(group: ConsumerGroup): GroupTally {
    return this.#post(group).tally;
  }

  /** How this tab's workers work for a group. */
  settings(group: ConsumerGroup): WorkSettings {
    return this.#post(group).settings;
  }

  /** Changes that, for workers that run, too. */
  set(group: ConsumerGroup, changed: Partial<WorkSettings>): void {
    const post = this.#post(group);
    post.settings = { ...post.settings, ...changed };
  }

  /** Starts a worker. @throws InvalidArgumentError. */
  start(group: ConsumerGroup, reads: Reads): CrewWorker {
    const post = this.#post(group);
    this.#started += 1;
    const workerId = `tab-${TAB_ID}-worker-${this.#started}`;
    const worker = group.start(
      ({ shardId }) => {
        const onBegin = ({ records }: { readonly records: number }): void =>
          this.#tell(group, workerId, {
            kind: "began",
            shardId,
            text: `Goes on after ${formatCount(records)} records`,
          });
        const onStored = (records: number): void =>
          this.#change(member, { processed: member.shown.processed + records });
        const { tally } = post;
        const settings = (): WorkSettings => post.settings;
        return new CountingProcessor({ shardId, tally, settings, onBegin, onStored });
      },
      { workerId, reads, checkpoints: "manual" },
    );
    const shown = { processed: 0, failures: 0, error: undefined, state: "working" } as const;
    const member: Member = { worker, shown: { workerId, reads, ...shown } };
    post.members.push(member);
    this.#listen(group, member);
    return member.shown;
  }

  /** Stops a worker: it finishes what it has in hand and gives its leases back. */
  async stop(group: ConsumerGroup, workerId: string): Promise<void> {
    await this.#end(group, workerId, "stopped");
  }

  /** Drops a worker with what it has in hand, which comes again to whoever gets its leases. */
  async kill(group: ConsumerGroup, workerId: string): Promise<void> {
    await this.#end(group, workerId, "killed");
  }

  /** Forgets a worker that has ended. */
  dismiss(group: ConsumerGroup, workerId: string): void {
    const { members } = this.#post(group);
    const at = members.findIndex((one) => one.shown.workerId === workerId && one.worker.closed);
    if (at >= 0) members.splice(at, 1);
  }

  async #end(group: ConsumerGroup, workerId: string, state: "stopped" | "killed"): Promise<void> {
    const member = this.#post(group).members.find((one) => one.shown.workerId === workerId);
    if (member === undefined || member.worker.closed) return;
    this.#change(member, { state: state === "killed" ? "killed" : "stopping" });
    await member.worker.stop({ graceful: state === "stopped" });
    // Whoever stops may have lost patience meanwhile.
    if (member.shown.state === "stopping") this.#change(member, { state });
  }

  #post({ definition }: ConsumerGroup): Post {
    const { name, createdMs } = definition;
    const key = `${name} ${createdMs}`;
    const found = this.#posts.get(key) ?? {
      members: [],
      tally: new GroupTally(performance.now()),
      settings: { msPerRecord: 0, throwing: false },
    };
    this.#posts.set(key, found);
    return found;
  }

  #listen(group: ConsumerGroup, member: Member): void {
    const { worker } = member;
    const { workerId } = worker;
    const tell = (event: Pick<CrewEvent, "kind" | "shardId" | "text">): void =>
      this.#tell(group, workerId, event);
    worker.on("lease-lost", ({ shardId }) =>
      tell({ kind: "lease-lost", shardId, text: "Lost the lease" }),
    );
    worker.on("shard-ended", ({ shardId }) =>
      tell({ kind: "shard-ended", shardId, text: "Read the shard to its end" }),
    );
    worker.on("stalled", ({ shardId }) =>
      tell({ kind: "stalled", shardId, text: "A delivery did not end in time" }),
    );
    worker.on("processing-failed", ({ shardId, attempt, error }) => {
      this.#change(member, { failures: member.shown.failures + 1 });
      const { message } = describeError(error);
      tell({ kind: "failed", shardId, text: `Attempt ${attempt} failed: ${message}` });
    });
    worker.finished.then(
      () => tell({ kind: "ended", shardId: undefined, text: "Ended" }),
      (error: unknown) => {
        const shown = describeError(error);
        this.#change(member, { state: "failed", error: shown });
        tell({ kind: "ended", shardId: undefined, text: shown.message });
      },
    );
  }

  #change(member: Member, changed: Partial<CrewWorker>): void {
    member.shown = { ...member.shown, ...changed };
  }

  #tell(
    { name: groupName }: ConsumerGroup,
    workerId: string,
    event: Pick<CrewEvent, "kind" | "shardId" | "text">,
  ): void {
    const told = { atMs: Date.now(), groupName, workerId, ...event };
    this.#events = [told, ...this.#events].slice(0, EVENTS_MAX);
  }
}
