/** An engine whose answers are watched for the news that it leads no more. */
import {
  DeposedError,
  EngineFailedError,
  OutcomeUnknownError,
  StorageUnavailableError,
  StoreFailedError,
  UnsupportedFormatError,
} from "../errors/index.ts";
import type {
  BatchOrder,
  CallContext,
  ControlOperations,
  EngineService,
  EpochAnswer,
  EpochCommit,
  ReadRequest,
} from "../service/engine-service.ts";
import { meansNoLeader } from "./no-leader.ts";

/** What became of an engine: another leader took over, or it can do no more. */
export type Verdict = "deposed" | "failed";

/** Errors of single requests, or of the recovery that all requests wait for in vain. */
const SUSPICIOUS = [
  OutcomeUnknownError,
  StorageUnavailableError,
  StoreFailedError,
  UnsupportedFormatError,
] as const;

/** Passes requests on to the engine, and tells when an answer says that it can do no more. */
export class WatchedEngine implements EngineService {
  readonly #engine: EngineService;
  readonly #failed: (verdict: Verdict) => void;

  constructor(engine: EngineService, failed: (verdict: Verdict) => void) {
    this.#engine = engine;
    this.#failed = failed;
  }

  call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
    again?: boolean,
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    return this.#watch(this.#engine.call(operation, argument, again));
  }

  put(batch: ArrayBuffer, call?: CallContext, order?: BatchOrder): Promise<ArrayBuffer> {
    return this.#watch(this.#engine.put(batch, call, order));
  }

  commitEpoch(commit: EpochCommit, outputs: readonly ArrayBuffer[]): Promise<EpochAnswer> {
    return this.#watch(this.#engine.commitEpoch(commit, outputs));
  }

  read(request: ReadRequest, signal: AbortSignal): Promise<ArrayBuffer> {
    return this.#watch(this.#engine.read(request, signal));
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  async #watch<Result>(answer: Promise<Result>): Promise<Result> {
    try {
      return await answer;
    } catch (error) {
      const verdict = await this.#judge(error);
      if (verdict === undefined) throw error;
      this.#failed(verdict);
      if (meansNoLeader(error)) throw error;
      throw new EngineFailedError("the engine could not be recovered", { cause: error });
    }
  }

  /** What an error says of the engine. One whose next life could not begin answers everything with the reason. */
  async #judge(error: unknown): Promise<Verdict | undefined> {
    if (error instanceof DeposedError) return "deposed";
    if (meansNoLeader(error)) return "failed";
    if (!SUSPICIOUS.some((kind) => error instanceof kind)) return undefined;
    return await this.#engine.call("memberStatus", {}).then(
      () => undefined,
      () => "failed" as const,
    );
  }
}
