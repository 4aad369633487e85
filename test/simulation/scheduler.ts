/**
 * The seeded scheduler: everything that a platform would complete by itself is a task here, due at a
 * virtual time with a random delay, run one at a time, with all microtasks drained in between.
 */
import { SeededRandom } from "../../engine/host/src/platform/seeded-random.ts";
import type { Trace } from "./trace.ts";

/** Something that runs code: it can die for good and stand still for a while. */
export interface Process {
  readonly name: string;
  alive: boolean;
  /** Virtual time in ms until which nothing of it runs. */
  frozenUntilMs: number;
}

interface Task {
  dueMs: number;
  readonly order: number;
  readonly owner: Process;
  readonly label: string;
  readonly run: () => void;
  cancelled: boolean;
}

/** How a task is scheduled. */
export interface TaskOptions {
  /** Virtual ms from now. */
  readonly delayMs: number;
  /** Tasks of one line run in the order in which they were scheduled. */
  readonly line?: string;
}

function comesBefore(left: Task, right: Task): boolean {
  return left.dueMs === right.dueMs ? left.order < right.order : left.dueMs < right.dueMs;
}

/** A queue of tasks by the time at which they are due: a binary heap. */
class TaskHeap {
  readonly #tasks: Task[] = [];

  get size(): number {
    return this.#tasks.length;
  }

  get first(): Task | undefined {
    return this.#tasks[0];
  }

  push(task: Task): void {
    const tasks = this.#tasks;
    let at = tasks.push(task) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = tasks[parent];
      if (above === undefined || !comesBefore(task, above)) break;
      tasks[at] = above;
      at = parent;
    }
    tasks[at] = task;
  }

  pop(): Task | undefined {
    const tasks = this.#tasks;
    const top = tasks[0];
    const last = tasks.pop();
    if (last === undefined || tasks.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [tasks[child], tasks[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && comesBefore(right, left)) child += 1;
      const least = tasks[child];
      if (least === undefined || !comesBefore(least, last)) break;
      tasks[at] = least;
      at = child;
    }
    tasks[at] = last;
    return top;
  }
}

/** Lets the promises of a task settle before the next one runs. */
const drained = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Tasks of one run at most: more of them are contexts that keep each other busy for nothing. */
const TASKS_MAX = 100_000;

/** Runs one simulated machine. Equal seeds and equal calls give equal traces. */
export class Scheduler {
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly #tasks = new TaskHeap();
  /** When the newest task of a line is due. */
  readonly #lines = new Map<string, number>();
  #nowMs = 0;
  #scheduled = 0;
  #ran = 0;

  constructor(seed: number, trace: Trace) {
    this.random = new SeededRandom(seed);
    this.trace = trace;
  }

  /** Virtual monotonic time in ms. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Tasks that have run. */
  get ran(): number {
    return this.#ran;
  }

  /** Whether something happens, one time in `of`. */
  oneIn(of: number): boolean {
    return this.random.below(of) === 0;
  }

  /** A delay in ms as machines have them: mostly short, now and then long. */
  latencyMs(typicalMs = 1): number {
    const part = this.random.nextUint32() / 2 ** 32;
    if (this.oneIn(60)) return typicalMs * 60 * part;
    return this.oneIn(8) ? typicalMs * 8 * part : typicalMs * part;
  }

  /** Schedules a task of a process; returns its cancellation. */
  schedule(owner: Process, label: string, options: TaskOptions, run: () => void): () => void {
    const { delayMs, line } = options;
    let dueMs = this.#nowMs + Math.max(0, delayMs);
    if (line !== undefined) {
      dueMs = Math.max(dueMs, this.#lines.get(line) ?? 0);
      this.#lines.set(line, dueMs);
    }
    this.#scheduled += 1;
    const order = this.#scheduled;
    const task: Task = { dueMs, order, owner, label, run, cancelled: false };
    this.#tasks.push(task);
    return () => {
      task.cancelled = true;
    };
  }

  /** Resolves in a task of its own; never when the process dies before. */
  pause(owner: Process, label: string, options: TaskOptions): Promise<void> {
    return new Promise((resolve) => {
      this.schedule(owner, label, options, resolve);
    });
  }

  /** All sleep but for one: time passes and nothing runs meanwhile, and what `waking` has to do comes as much later. */
  sleep(byMs: number, waking: Process): void {
    this.#nowMs += byMs;
    const tasks: Task[] = [];
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
      if (task.owner === waking) task.dueMs += byMs;
      tasks.push(task);
    }
    for (const task of tasks) this.#tasks.push(task);
  }

  /** Runs tasks until `done` says so, or there are none, or it is `endMs`; whether it was done. */
  async runUntil(done: () => boolean, endMs: number): Promise<boolean> {
    await drained();
    while (!done()) {
      const next = this.#tasks.first;
      if (next === undefined || next.dueMs > endMs) {
        this.#nowMs = Math.max(this.#nowMs, endMs);
        return done();
      }
      this.#tasks.pop();
      if (!this.#runs(next)) continue;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#ran += 1;
      if (this.#ran > TASKS_MAX) throw new Error(`more than ${TASKS_MAX} tasks: a livelock`);
      this.trace.add(this.#nowMs, next.owner.name, next.label);
      next.run();
      await drained();
    }
    return true;
  }

  /** Whether a task may run now; that of a frozen process waits until it thaws. */
  #runs(task: Task): boolean {
    if (task.cancelled || !task.owner.alive) return false;
    if (task.owner.frozenUntilMs <= Math.max(this.#nowMs, task.dueMs)) return true;
    task.dueMs = task.owner.frozenUntilMs;
    this.#tasks.push(task);
    return false;
  }
}
