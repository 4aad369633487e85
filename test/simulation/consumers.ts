/**
 * The consumer group of a run: somebody who creates it, anew when its stream was replaced, and workers of the
 * SDK in pages that stop, stand still, die and come back.
 */
import {
  decodeSlice,
  type EngineClient,
  type GroupDescription,
  MillraceError,
  parseSequenceNumber,
  pause,
} from "@millrace/engine";
import type { StreamDescription } from "../../engine/host/src/service/engine-service.ts";
import { startEngineWorker } from "../../sdk/src/groups/engine-backend.ts";
import type { GroupWorker } from "../../sdk/src/groups/group-worker.ts";
import { checkWorkerOptions } from "../../sdk/src/groups/worker-settings.ts";
import type { Connection, Fleet } from "./fleet.ts";
import { GroupHistory, OUTPUT_STREAM } from "./group-history.ts";
import { GroupProcessor } from "./group-processor.ts";
import type { GroupEvent, GroupScript } from "./group-script.ts";
import type { History } from "./history.ts";
import type { Machine } from "./machine.ts";
import type { Operator } from "./operator.ts";
import type { Process } from "./scheduler.ts";
import { SimClient } from "./sim-client.ts";

const GROUP = "group";
/** Pauses between two looks at the group, in ms: longer each time while it is waited for. */
const LOOK_MS = { first: 100, longest: 2000 } as const;
/** Longer than clocks of a run jump: copies are compared at the end. */
const OUTPUT_RETENTION_HOURS = 8760;

/** What a group works with. */
export interface ConsumersParts {
  readonly machine: Machine;
  readonly fleet: Fleet;
  readonly operator: Operator;
  readonly history: History;
  readonly script: GroupScript;
  /** Ways to the engine of the pages that put and live. */
  readonly pages: () => readonly Connection[];
}

interface RunningWorker {
  readonly workerId: string;
  readonly worker: GroupWorker;
  readonly process: Process;
  readonly streamUid: number;
}

/** See above. */
export class Consumers {
  readonly history: GroupHistory;
  readonly #parts: ConsumersParts;
  readonly #keeper: EngineClient;
  #workers: RunningWorker[] = [];
  #names = 0;
  #pages = 0;
  /** The stream that the group reads, once it is there. */
  #streamUid: number | undefined;
  #resting = false;
  #rested = false;
  #seen = "nobody looked";

  constructor(parts: ConsumersParts) {
    const { machine, fleet, history } = parts;
    this.#parts = parts;
    this.history = new GroupHistory(machine.verdict, history);
    const connection = fleet.connect(machine.outside("keeper"));
    const workerId = "keeper";
    this.#keeper = new SimClient({ machine, connection, history: this.history, workerId });
  }

  /** Whether the group has read everything, and its leases are spread evenly. */
  get settled(): boolean {
    return this.#rested || this.#parts.history.damaged;
  }

  /** What keeps it from that, for messages. */
  get pending(): string {
    return this.settled ? "" : `the group: ${this.#seen}`;
  }

  /** Creates the group as soon as its stream is there, and lets workers begin. */
  begin(): void {
    void this.#keep();
  }

  /** Nothing is put any more: whatever there is must be read soon. */
  rest(): void {
    this.#resting = true;
  }

  /** Lets something happen to the group. */
  strike(event: GroupEvent): void {
    const { machine, operator } = this.#parts;
    machine.note(`group ${JSON.stringify(event)}`);
    if (event.kind === "reshard") {
      void operator.reshard(this.#streamName);
      return;
    }
    if (event.kind === "worker-begins") {
      this.#start();
      return;
    }
    const { random } = machine.scheduler;
    const running = this.#workers[random.below(Math.max(1, this.#workers.length))];
    if (running === undefined) return;
    switch (event.kind) {
      case "worker-stops":
        this.#forget(running);
        void running.worker.stop({ graceful: event.graceful });
        return;
      case "worker-freezes":
        machine.freeze(running.process, event.forMs);
        return;
      case "worker-dies":
        machine.kill(running.process, "its page crashes");
        if (event.returnMs !== undefined) {
          const { workerId } = running;
          void pause(this.#keeper.clock, event.returnMs).then(() => this.#start(workerId));
        }
        return;
    }
  }

  get #streamName(): string {
    return `stream-${this.#parts.script.stream}`;
  }

  get #stream(): StreamDescription | undefined {
    return this.#parts.operator.streams.find(({ name }) => name === this.#streamName);
  }

  /** Follows the stream, and sees to it that somebody reads it. */
  async #keep(): Promise<void> {
    let lookMs: number = LOOK_MS.first;
    for (;;) {
      await pause(this.#keeper.clock, lookMs);
      if (this.#resting) lookMs = Math.min(1.5 * lookMs, LOOK_MS.longest);
      try {
        await this.#look();
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error;
        this.#seen = String(error);
      }
    }
  }

  async #look(): Promise<void> {
    const { script, operator } = this.#parts;
    const stream = this.#stream;
    this.#rested = this.#resting && operator.settled && stream === undefined;
    if (stream === undefined) return;
    if (this.#streamUid !== stream.uid) {
      await this.#create(stream);
      for (let left = script.workers; left > 0; left -= 1) this.#start();
    }
    if (!this.#workers.some(({ streamUid }) => streamUid === stream.uid)) this.#start();
    if (!this.#resting) return;
    const description = await this.#describe();
    this.#rested = this.#isSpread(description, stream.uid) && !(await this.#isBehind(description));
  }

  async #describe(): Promise<GroupDescription> {
    return await this.#keeper.call("groupsDescribe", { name: GROUP });
  }

  async #create({ name: streamName, uid }: StreamDescription): Promise<void> {
    const { failoverMs, handOverMs, kind } = this.#parts.script;
    const client = this.#keeper;
    const there = await client.call("listStreams", {});
    if (there.every(({ name }) => name !== OUTPUT_STREAM)) {
      const kept = { retentionHours: OUTPUT_RETENTION_HOURS, recordKibMax: 1024 };
      await client.call("createStream", { ...kept, name: OUTPUT_STREAM, shards: 1 });
    }
    const startingPosition = { type: "TRIM_HORIZON" } as const;
    const spec = { name: GROUP, streamName, startingPosition, failoverMs, handOverMs };
    const { streamUid } = await client.call("groupsCreate", spec);
    if (streamUid !== uid) return;
    this.#streamUid = uid;
    this.history.follow(uid, kind === "copy");
  }

  /** Starts a worker, in a page of its own or in one that puts. */
  #start(workerId = this.#newName()): void {
    const { machine, fleet, pages, script } = this.#parts;
    const stream = this.#stream;
    if (stream === undefined || stream.uid !== this.#streamUid) return;
    const { random } = machine.scheduler;
    const putting = pages();
    const shared = random.below(2) === 0 ? putting[random.below(putting.length + 1)] : undefined;
    const connection = shared ?? fleet.connect(machine.process(`g${++this.#pages}`));
    const { history } = this;
    const client = new SimClient({ machine, connection, history, workerId });
    history.began(workerId, stream.uid);
    const settings = checkWorkerOptions({
      workerId,
      batchRecordsMax: script.batchRecordsMax,
      checkpoints: script.kind === "copy" ? "manual" : "batch",
      reads: random.below(4) === 0 ? "fan-out" : "polling",
    });
    const group = { client, stream, groupName: GROUP };
    const worker = startEngineWorker(group, settings, ({ shardId }) => {
      const note = (what: string): void => machine.note(what);
      const parts = { history, random, clock: client.clock, script, note };
      return new GroupProcessor(parts, { workerId, shardId });
    });
    const running = { workerId, worker, process: connection.page, streamUid: stream.uid };
    this.#workers.push(running);
    machine.onDeath(connection.page, () => this.#forget(running));
    void this.#follow(running);
  }

  /** Workers end when they are stopped or their group is deleted with its stream. */
  async #follow(running: RunningWorker): Promise<void> {
    const { machine, history } = this.#parts;
    try {
      await running.worker.finished;
    } catch (error) {
      const deleted = history.deleted.has(running.streamUid);
      if (!deleted && !history.damaged) {
        machine.verdict.report("worker", `${running.workerId} ended: ${String(error)}`);
      }
    }
    this.#forget(running);
  }

  #newName(): string {
    this.#names += 1;
    return `worker-${this.#names}`;
  }

  #forget(running: RunningWorker): void {
    this.#workers = this.#workers.filter((one) => one !== running);
  }

  /** Whether every lease has an owner that lives, and none has two more than another. */
  #isSpread({ definition, leases, workers }: GroupDescription, streamUid: number): boolean {
    const shares = workers.map((worker) => worker.leases);
    const owned = leases.filter(({ status }) => status === "owned").length;
    this.#seen =
      `leases are ${leases.map(({ status }) => status)}; workers have ${shares}; ` +
      `${this.#workers.length} workers live`;
    return (
      definition.streamUid === streamUid &&
      leases.every(({ status }) => status === "owned" || status === "ended") &&
      workers.every(({ joined }) => joined) &&
      workers.length === this.#workers.length &&
      shares.reduce((sum, count) => sum + count, 0) === owned &&
      Math.max(...shares) - Math.min(...shares) <= 1
    );
  }

  /** Whether there is a record behind a checkpoint; how old it is does not tell, for clocks go wrong. */
  async #isBehind({ definition, leases }: GroupDescription): Promise<boolean> {
    const open = leases.filter(({ status }) => status === "owned");
    const cursors = open.map(({ shardIndex, checkpoint }) => ({
      shardIndex,
      nextIndex:
        "sequenceNumber" in checkpoint
          ? parseSequenceNumber(checkpoint.sequenceNumber).sequenceIndex + 1
          : 0,
    }));
    const { streamUid } = definition;
    const limits = { recordsMax: 1, bytesMax: 1, waitMs: 0 };
    const slice = await this.#keeper.read({ streamUid, cursors, ...limits });
    const { length } = decodeSlice(slice);
    if (length > 0) this.#seen = `records are unread; ${this.#seen}`;
    return length > 0;
  }
}
