/**
 * One of a job's workers as its host leads it: started, watched, ended when it fails or falls silent, and
 * followed by another one after a pause.
 */
import {
  attachOver,
  type EngineClient,
  hexOfBytes,
  type JobSpec,
  type JobWorkerReport,
  systemRandom,
  whenFree,
} from "@millrace/engine";
import { errorText, isJobMessage, type JobMessage } from "./job-messages.ts";
import type { JobThread, StartThread } from "./job-thread.ts";
import { refusalOfModule } from "./module-url.ts";

/** How long a worker may take until it says its first word, in ms: its script has to load. */
const LOAD_MS_MAX = 30_000;
/** How often a worker tells that it lives, at most, in ms. */
const BEAT_MS_MAX = 500;
/** How long a worker may take to finish, in ms. */
const STOP_MS_MAX = 10_000;
/** Beats that records per second are reckoned from. */
const SAMPLES_MAX = 10;

/** What a worker is led with. */
export interface JobWorkerParts {
  readonly client: EngineClient;
  readonly spec: JobSpec;
  readonly workerIndex: number;
  readonly inTurn: boolean;
  readonly start: StartThread;
  /** Something of the report is another one. */
  readonly onChange: () => void;
  readonly onLog: (text: string) => void;
}

/** A thread at work. */
interface Running {
  readonly thread: JobThread;
  readonly workerId: string;
  readonly begunMs: number;
  heardMs: number;
  heard: boolean;
  readonly undo: (() => void)[];
}

/** See above. */
export class JobWorker {
  readonly #parts: JobWorkerParts;
  #running: Running | undefined;
  #state: JobWorkerReport["state"] = "starting";
  #restarts = 0;
  /** Failures one after the other. */
  #failures = 0;
  #lastError: JobWorkerReport["lastError"];
  #recordsBefore = 0;
  #samples: { readonly atMs: number; readonly records: number }[] = [];
  #memoryBytes: number | undefined;
  #cancelStart: () => void = () => undefined;
  #stopping: Promise<void> | undefined;
  #stopped: () => void = () => undefined;

  /** Begins at once. */
  constructor(parts: JobWorkerParts) {
    this.#parts = parts;
    this.#begin();
  }

  /** How it is doing. */
  get report(): JobWorkerReport {
    const [oldest, newest] = [this.#samples[0], this.#samples.at(-1)];
    const spanMs = oldest === undefined || newest === undefined ? 0 : newest.atMs - oldest.atMs;
    const gained = (newest?.records ?? 0) - (oldest?.records ?? 0);
    return {
      state: this.#state,
      workerId: this.#running?.workerId,
      restarts: this.#restarts,
      lastError: this.#lastError,
      records: this.#recordsBefore + (newest?.records ?? 0),
      recordsPerSecond: spanMs === 0 ? 0 : (gained * 1000) / spanMs,
      memoryBytes: this.#memoryBytes,
    };
  }

  /** What the page was told of its workers' memory, by their URLs. */
  noteMemory(bytesOf: ReadonlyMap<string, number>): void {
    const running = this.#running;
    const bytes = bytesOf.get(running?.thread.url ?? "");
    if (running !== undefined && bytes !== undefined) this.#weigh(running, bytes);
  }

  /** Lets what is under way finish, for 10 s at most, and ends the worker. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends the worker at once. */
  terminate(): void {
    this.#stopping ??= Promise.resolve();
    this.#cancelStart();
    this.#end();
    this.#stopped();
  }

  async #stop(): Promise<void> {
    this.#cancelStart();
    const running = this.#running;
    if (running === undefined) return;
    const { clock } = this.#parts.client;
    await new Promise<void>((resolve) => {
      this.#stopped = resolve;
      running.undo.push(clock.after(STOP_MS_MAX, resolve));
      running.thread.wire.post({ millraceJob: "stop" });
    });
    this.#end();
  }

  #begin(): void {
    const { client, spec, workerIndex, inTurn, start } = this.#parts;
    const { stallMs, memoryBytesMax } = spec.restart;
    const refusal = refusalOfModule(spec.module);
    if (refusal !== undefined) {
      this.#state = "failed";
      this.#note(`its module must be ${refusal}, but it is ${spec.module.slice(0, 200)}`);
      return;
    }
    const id = hexOfBytes(systemRandom.fill(new Uint8Array(8)));
    const workerId = `job-${spec.name}-${workerIndex}-${id}`;
    const life = `millrace:${client.name}:job:${id}`;
    let thread: JobThread;
    try {
      thread = start(memoryBytesMax);
    } catch (error) {
      this.#failed(errorText(error), 0);
      return;
    }
    const nowMs = client.clock.monotonicMs();
    const running: Running = {
      thread,
      workerId,
      begunMs: nowMs,
      heardMs: nowMs,
      heard: false,
      undo: [],
    };
    this.#running = running;
    this.#state = "starting";
    const fail = (reason: string): void => this.#fail(running, reason);
    thread.onFailure(fail);
    thread.wire.listen((message) => {
      if (this.#running !== running || !isJobMessage(message)) return;
      running.heardMs = client.clock.monotonicMs();
      running.heard = true;
      this.#take(message as JobMessage, running, life);
    });
    running.undo.push(attachOver(client, thread.wire));
    const beatMs = Math.min(BEAT_MS_MAX, Math.ceil(stallMs / 4));
    const order = { engineName: client.name, spec, workerId, workerIndex, inTurn, life, beatMs };
    thread.wire.post({ millraceJob: "begin", order });
    this.#watch(running, beatMs);
    this.#parts.onChange();
  }

  #take(message: JobMessage, running: Running, life: string): void {
    switch (message.millraceJob) {
      case "alive":
        // A worker that ends itself makes no event, but it lets go of its lock.
        running.undo.push(whenFree(life, () => this.#fail(running, "it ended by itself")));
        break;
      case "running":
        this.#state = "running";
        this.#parts.onChange();
        break;
      case "beat":
        this.#beat(running, message.records, message.memoryBytes);
        break;
      case "log":
        this.#parts.onLog(message.text);
        break;
      case "error":
        if (message.fatal) this.#fail(running, message.message);
        else this.#note(message.message);
        break;
      case "stopped":
        if (this.#stopping === undefined) this.#fail(running, "it stopped without being told to");
        else this.#stopped();
    }
  }

  #beat(running: Running, records: number, memoryBytes: number | undefined): void {
    this.#samples.push({ atMs: running.heardMs, records });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    if (memoryBytes !== undefined) this.#weigh(running, memoryBytes);
  }

  #weigh(running: Running, memoryBytes: number): void {
    const { memoryBytesMax } = this.#parts.spec.restart;
    this.#memoryBytes = memoryBytes;
    if (memoryBytesMax === null || memoryBytes <= memoryBytesMax) return;
    this.#fail(running, `its memory held ${memoryBytes} bytes, and may hold ${memoryBytesMax}`);
  }

  /** Ends a worker that has been silent for too long. */
  #watch(running: Running, everyMs: number): void {
    const { client, spec } = this.#parts;
    const { clock } = client;
    const { stallMs } = spec.restart;
    let lookedMs = clock.monotonicMs();
    let cancel: () => void = () => undefined;
    const look = (): void => {
      const nowMs = clock.monotonicMs();
      // When this thread was held up itself, what the worker said meanwhile is not taken yet.
      if (nowMs - lookedMs > 2 * everyMs)
        running.heardMs = Math.max(running.heardMs, nowMs - everyMs);
      lookedMs = nowMs;
      const silentMsMax = running.heard ? stallMs : Math.max(stallMs, LOAD_MS_MAX);
      if (nowMs - running.heardMs > silentMsMax) {
        this.#fail(running, `it stalled: nothing was heard of it for ${silentMsMax} ms`);
        return;
      }
      cancel = clock.after(everyMs, look);
    };
    cancel = clock.after(everyMs, look);
    running.undo.push(() => cancel());
  }

  #fail(running: Running, reason: string): void {
    if (this.#running !== running) return;
    const ranMs = this.#parts.client.clock.monotonicMs() - running.begunMs;
    this.#end();
    if (this.#stopping === undefined) this.#failed(reason, ranMs);
    else this.#stopped();
  }

  /** Another worker begins after a pause, unless there were too many. */
  #failed(reason: string, ranMs: number): void {
    const { client, spec, onChange } = this.#parts;
    const { firstMs, longestMs, quietMs, attemptsMax } = spec.restart;
    if (ranMs >= quietMs) this.#failures = 0;
    this.#failures += 1;
    this.#note(reason);
    if (attemptsMax !== null && this.#failures >= attemptsMax) this.#state = "failed";
    else {
      this.#state = "restarting";
      const pauseMs = Math.min(longestMs, firstMs * 2 ** (this.#failures - 1));
      this.#cancelStart = client.clock.after(pauseMs, () => {
        this.#restarts += 1;
        this.#begin();
      });
    }
    onChange();
  }

  #note(message: string): void {
    this.#lastError = { atMs: this.#parts.client.clock.nowMs(), message };
    this.#parts.onChange();
  }

  #end(): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    this.#recordsBefore += this.#samples.at(-1)?.records ?? 0;
    this.#samples = [];
    this.#memoryBytes = undefined;
    running.thread.terminate();
    for (const undo of running.undo.splice(0)) undo();
  }
}
