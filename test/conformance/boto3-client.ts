/** boto3 as a client: one Python process that makes the calls one after the other. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { OperationName } from "@millrace/engine/model";
import { NoWordsError } from "./world.ts";

const BRIDGE = fileURLToPath(new URL("./boto3_bridge.py", import.meta.url));

interface Answer {
  readonly output?: unknown;
  readonly done?: boolean;
  readonly unknown?: string;
  readonly error?: string;
  readonly message?: string;
}

/** How a server is reached. */
export interface Boto3Target {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Why boto3 cannot be run here, or undefined when it can. */
export function boto3Problem(): string | undefined {
  const { status, error } = spawnSync("python3", ["-c", "import boto3"], { encoding: "utf8" });
  if (error !== undefined) return "there is no python3";
  return status === 0 ? undefined : "python3 has no boto3";
}

function encode(value: unknown): unknown {
  if (value instanceof Date) return { $time: value.getTime() };
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(encode);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, encode(member)]));
}

function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== "object" || value === null) return value;
  if ("$time" in value) return new Date(Number(value.$time));
  if ("$bytes" in value) return new Uint8Array(Buffer.from(String(value.$bytes), "base64"));
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, decode(member)]));
}

/** The process, started at the first call. */
export class Boto3 {
  #process: ChildProcessWithoutNullStreams | undefined;
  #lines: AsyncIterator<string> | undefined;
  /** Questions are asked one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  /** Makes a call. @throws NoWordsError; errors that bear AWS's names. */
  async call(target: Boto3Target, operation: OperationName, input: unknown): Promise<unknown> {
    const output = await this.#ask({ ...target, operation, input: encode(input ?? {}) });
    if (operation !== "SubscribeToShard") return decode(output.output);
    const { EventStream: handle } = output.output as { EventStream: number };
    return { EventStream: this.#events(handle) };
  }

  /** Closes the connections to a server. */
  async forget(endpoint: string): Promise<void> {
    await this.#ask({ forget: endpoint });
  }

  /** Ends the process. */
  end(): void {
    this.#process?.stdin.end();
  }

  async *#events(handle: number): AsyncGenerator<unknown> {
    try {
      for (;;) {
        const { done, output } = await this.#ask({ next: handle });
        if (done === true) return;
        yield decode(output);
      }
    } finally {
      await this.#ask({ leave: handle });
    }
  }

  #ask(question: object): Promise<Answer> {
    const answer = this.#last.then(() => this.#exchange(question));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async #exchange(question: object): Promise<Answer> {
    if (this.#process === undefined || this.#lines === undefined) {
      this.#process = spawn("python3", [BRIDGE]);
      this.#process.stderr.pipe(process.stderr);
      this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
      await this.#lines.next();
    }
    this.#process.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("the process with boto3 ended");
    const answer = JSON.parse(value) as Answer;
    if (answer.unknown !== undefined) throw new NoWordsError(answer.unknown);
    if (answer.error === undefined) return answer;
    throw Object.assign(new Error(answer.message), { name: answer.error });
  }
}
