/** One call of a Lambda handler: its context, its three ways to answer, and its time limit. */
import { type EngineClient, pause } from "@millrace/engine";
import { nextRequestId } from "../aws/request-id.ts";
import { InvocationTimeoutError } from "./trigger-errors.ts";
import type { TriggerSettings } from "./trigger-settings.ts";
import type { KinesisEvent, LambdaContext, LambdaHandler } from "./trigger-types.ts";

/** What calls are made with. */
export interface InvocationParts {
  readonly client: EngineClient;
  readonly handler: LambdaHandler;
  readonly settings: Pick<TriggerSettings, "functionName" | "functionArn" | "timeoutMs">;
}

/** One call. Its id is in the context, and in the on-failure record. */
export class Invocation {
  readonly requestId = nextRequestId();
  readonly #parts: InvocationParts;

  constructor(parts: InvocationParts) {
    this.#parts = parts;
  }

  /** The handler's answer. @throws what the handler fails with; InvocationTimeoutError. */
  async call(event: KinesisEvent): Promise<unknown> {
    const { client, settings } = this.#parts;
    const { timeoutMs } = settings;
    const ending = new AbortController();
    const late = pause(client.clock, timeoutMs, ending.signal).then(() => {
      throw new InvocationTimeoutError(`the handler did not answer within ${timeoutMs} ms`, {
        ...{ argument: "options.timeoutMs", limit: timeoutMs },
      });
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([this.#answer(event), late]);
    } finally {
      ending.abort();
    }
  }

  async #answer(event: KinesisEvent): Promise<unknown> {
    const { handler } = this.#parts;
    let called = false;
    let settle: (failure: unknown, result: unknown) => void = () => undefined;
    const answered = new Promise<unknown>((resolve, reject) => {
      settle = (failure, result) => {
        called = true;
        if (failure === undefined || failure === null) resolve(result);
        else reject(failure);
      };
    });
    answered.catch(() => undefined);
    const returned = handler(event, this.#context(settle), settle);
    if (isThenable(returned)) return await Promise.race([returned, answered]);
    // Without a promise, a handler that takes a callback, or used its context, answers that way.
    return called || handler.length >= 3 ? await answered : returned;
  }

  #context(settle: (failure: unknown, result: unknown) => void): LambdaContext {
    const { client, settings } = this.#parts;
    const { functionName, functionArn, timeoutMs } = settings;
    const endMs = client.clock.monotonicMs() + timeoutMs;
    return {
      callbackWaitsForEmptyEventLoop: true,
      functionName,
      functionVersion: "$LATEST",
      invokedFunctionArn: functionArn,
      memoryLimitInMB: "128",
      awsRequestId: this.requestId,
      logGroupName: `/aws/lambda/${functionName}`,
      logStreamName: `[$LATEST]${this.requestId.replaceAll("-", "")}`,
      getRemainingTimeInMillis: () => Math.max(0, Math.floor(endMs - client.clock.monotonicMs())),
      done: settle,
      fail: (error) => settle(error ?? new Error("the handler failed"), undefined),
      succeed: (result) => settle(undefined, result),
    };
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value;
}
