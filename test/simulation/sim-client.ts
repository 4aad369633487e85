/**
 * A page's client for what the SDK does in it: calls go the page's way to an engine, and are made again when
 * they were lost, as the client of a real page does when its worker dies.
 */
import {
  decodeSlice,
  type EngineClient,
  EngineClosedError,
  NotSupportedError,
  type PackedBatch,
  pause,
  withSignal,
} from "@millrace/engine";
import { BufferPool } from "../../engine/host/src/rpc/buffer-pool.ts";
import type {
  EngineService,
  GroupPollAnswer,
} from "../../engine/host/src/service/engine-service.ts";
import { type Connection, LostError } from "./fleet.ts";
import type { GroupHistory } from "./group-history.ts";
import type { Machine } from "./machine.ts";

/** Pages take an engine for dead that is silent for four seconds; nothing may wait in it for longer than this. */
const WAIT_MS_MAX = 2000;
const RETRY_MS = 50;

/** What a client works with. */
export interface SimClientParts {
  readonly machine: Machine;
  readonly connection: Connection;
  readonly history: GroupHistory;
  /** Of the one worker that the client is for. */
  readonly workerId: string;
}

/** See above. */
export class SimClient implements EngineClient {
  readonly name = "sim";
  readonly clock: EngineClient["clock"];
  readonly pool = new BufferPool();
  readonly #parts: SimClientParts;
  #closed = false;

  constructor(parts: SimClientParts) {
    const { machine, connection } = parts;
    this.#parts = parts;
    this.clock = machine.platform(connection.page, false).clock;
  }

  get closed(): boolean {
    return this.#closed;
  }

  async call(...[operation, argument]: Parameters<EngineClient["call"]>): Promise<never> {
    const { history, workerId } = this.#parts;
    const patient = patiently(argument);
    const answer = await this.#persist(operation, (service, again) =>
      service.call(operation, patient as never, again),
    );
    if (isPollAnswer(answer)) history.given(workerId, answer.leases);
    return answer as never;
  }

  async commitEpoch(...[commit, outputs]: Parameters<EngineClient["commitEpoch"]>) {
    const { history } = this.#parts;
    return await this.#persist("epoch", async (service) => {
      const overtaken = history.overtaken(commit);
      const answer = await service.commitEpoch(commit, outputs.map(copyOf));
      if (!answer.repeated) history.committed(commit, overtaken);
      return answer;
    });
  }

  async read(...[request, signal]: Parameters<EngineClient["read"]>): Promise<ArrayBuffer> {
    const { history } = this.#parts;
    const never = new AbortController().signal;
    const reading = this.#persist(
      "group read",
      (service) => service.read(patiently(request), never),
      signal,
    );
    const slice = await withSignal(signal, reading);
    for (const part of decodeSlice(slice).parts) {
      const from = request.cursors.find(({ shardIndex }) => shardIndex === part.shardIndex);
      if (part.hole && from !== undefined) history.stepped(request.streamUid, from, part.nextIndex);
    }
    return slice;
  }

  put(): Promise<never> {
    const reason = "workers of a group put nothing but with their epochs";
    return Promise.reject(new NotSupportedError(reason, { argument: "put" }));
  }

  onLeave(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** Asks until there is an answer, or an error that is one. */
  async #persist<Answer>(
    label: string,
    work: (service: EngineService, again: boolean) => Promise<Answer>,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const { machine, connection, workerId } = this.#parts;
    for (let again = false; ; again = true) {
      signal?.throwIfAborted();
      if (this.#closed) throw new EngineClosedError("the page is over", { argument: "name" });
      try {
        return await connection.ask(label, (service) => work(service, again));
      } catch (error) {
        if (!(error instanceof LostError)) {
          machine.note(`${workerId} ${label}: ${String(error)}`);
          throw error;
        }
      }
      await pause(this.clock, RETRY_MS);
    }
  }
}

function isPollAnswer(answer: unknown): answer is GroupPollAnswer {
  return typeof answer === "object" && answer !== null && "leases" in answer && "version" in answer;
}

/** The same argument with no longer wait than pages have patience. */
function patiently<Argument extends object>(argument: Argument): Argument {
  if (!("waitMs" in argument)) return argument;
  return { ...argument, waitMs: Math.min(WAIT_MS_MAX, Number(argument.waitMs)) };
}

/** The engine takes what it is given, and the same outputs may be sent again. */
function copyOf({ buffer, byteLength }: PackedBatch): ArrayBuffer {
  return buffer.slice(0, byteLength);
}
