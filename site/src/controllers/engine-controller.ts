/** Opens the engine and its stream for the page, says when that failed, and tries again when asked. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import {
  type DataLossReport,
  type Millrace,
  open,
  ResourceInUseError,
  ResourceNotFoundError,
  type Stream,
} from "millrace";
import { describeError, type ShownError } from "../live/advice.ts";
import { EventLog } from "../storage/event-log.ts";

/** Name of the engine that the page opens. */
export const ENGINE_NAME = "millrace-live";

/** Name of the stream that the access log goes through. */
export const STREAM_NAME = "access-log";

/** Shards that the stream is made with. */
export const SHARD_COUNT = 4;

/** An engine that is open, with the stream of the page. */
export interface OpenEngine {
  readonly millrace: Millrace;
  readonly stream: Stream;
  /** When it opened: ms since the Unix epoch. */
  readonly openedMs: number;
  /** Damage or loss that the engine found when it opened. */
  readonly dataLoss: readonly DataLossReport[];
  /** What the engine tells since then. */
  readonly events: EventLog;
}

/** How far opening has come. */
export type EngineState =
  | { readonly phase: "opening" }
  | { readonly phase: "open"; readonly engine: OpenEngine }
  | { readonly phase: "failed"; readonly error: ShownError };

/** The page's stream, made by this tab or by another one in the same moment. */
async function madeStream({ streams }: Pick<Millrace, "streams">): Promise<Stream> {
  try {
    return await streams.create(STREAM_NAME, { shards: SHARD_COUNT });
  } catch (error) {
    if (!(error instanceof ResourceInUseError)) throw error;
    return await streams.get(STREAM_NAME);
  }
}

/** The page's stream as it is, which may have been resharded since it was made. */
async function ownStream({ streams }: Millrace): Promise<Stream> {
  try {
    return await streams.get(STREAM_NAME);
  } catch (error) {
    if (!(error instanceof ResourceNotFoundError)) throw error;
    return await madeStream({ streams });
  }
}

async function openEngine(): Promise<OpenEngine> {
  const millrace = await open({ name: ENGINE_NAME, quotas: "aws" });
  const openedMs = Date.now();
  const events = new EventLog(millrace);
  try {
    const stream = await ownStream(millrace);
    return { millrace, stream, openedMs, dataLoss: await millrace.dataLoss(), events };
  } catch (error) {
    await millrace.close();
    throw error;
  }
}

/** Keeps one engine open for as long as its host is connected. */
export class EngineController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  #state: EngineState = { phase: "opening" };
  /** Counts attempts, so that the answer to an attempt that was given up is closed and not shown. */
  #attempt = 0;

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  /** How far opening has come. */
  get state(): EngineState {
    return this.#state;
  }

  hostConnected(): void {
    void this.reopen();
  }

  hostDisconnected(): void {
    this.#attempt += 1;
    void this.#closeCurrent();
  }

  /** Closes what is open and opens anew. Never rejects: what goes wrong becomes the state. */
  async reopen(): Promise<void> {
    this.#attempt += 1;
    const attempt = this.#attempt;
    await this.#closeCurrent();
    this.#show({ phase: "opening" });
    try {
      const engine = await openEngine();
      if (attempt === this.#attempt) this.#show({ phase: "open", engine });
      else await engine.millrace.close();
    } catch (error) {
      if (attempt === this.#attempt) this.#show({ phase: "failed", error: describeError(error) });
    }
  }

  /** Deletes the stream with all its records and begins with an empty one. */
  async startOver(): Promise<void> {
    if (this.#state.phase !== "open") return;
    const { millrace } = this.#state.engine;
    try {
      await millrace.streams.delete(STREAM_NAME);
    } catch (error) {
      this.#show({ phase: "failed", error: describeError(error) });
      return;
    }
    await this.reopen();
  }

  async #closeCurrent(): Promise<void> {
    if (this.#state.phase !== "open") return;
    const { millrace } = this.#state.engine;
    this.#state = { phase: "opening" };
    try {
      await millrace.close();
    } catch (error) {
      this.#show({ phase: "failed", error: describeError(error) });
    }
  }

  #show(state: EngineState): void {
    this.#state = state;
    this.#host.requestUpdate();
  }
}
