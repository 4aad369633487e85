/** Questions to the benchmarks' own workers, which answer in the order they are asked. */

/** A worker with its answers as promises. */
export class WorkerCalls<Request, Answer> {
  readonly #worker: Worker;
  readonly #waiting: { resolve: (answer: Answer) => void; reject: (reason: unknown) => void }[] =
    [];

  constructor(url: string) {
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Answer>) =>
      this.#waiting.shift()?.resolve(data),
    );
    this.#worker.addEventListener("error", (event) => {
      const failure = new Error(`${url}: ${event.message ?? "did not load"}`);
      for (const { reject } of this.#waiting.splice(0)) reject(failure);
    });
  }

  /** Says something that has no answer; `transfer` is given away. */
  tell(message: Request, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  /** Asks; `transfer` is given away. */
  ask(request: Request, transfer: Transferable[] = []): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(request, transfer);
    });
  }

  /** Ends the worker. */
  end(): void {
    this.#worker.terminate();
  }
}

/** Runs tasks, numbered from 0, while `more` says so for the next number, at most `depth` at once. */
export async function pipelinedWhile(
  more: (next: number) => boolean,
  depth: number,
  task: (i: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (more(next)) {
      const i = next;
      next += 1;
      await task(i);
    }
  };
  await Promise.all(Array.from({ length: depth }, lane));
}

/** Runs `count` tasks with at most `depth` of them under way. */
export function pipelined(
  count: number,
  depth: number,
  task: (i: number) => Promise<unknown>,
): Promise<void> {
  return pipelinedWhile((next) => next < count, depth, task);
}
