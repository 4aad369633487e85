/**
 * All operations of Kinesis over an open engine, with the members of AWS's service model. What every
 * other face is made of: the direct protocol, the request handler, the fetch handler.
 */
import { type EngineClient, ROOT_PRINCIPAL, withSignal } from "@millrace/engine";
import { type OperationName, validateInput } from "@millrace/engine/model";
import type { AnswerOf, CallSettings, FaceCall } from "./calls.ts";
import { getRecords } from "./get-records.ts";
import { Puts } from "./puts.ts";
import { ShardSubscription } from "./shard-subscription.ts";

/** Operations that can be asked what they would do. */
const WITH_DRY_RUN: ReadonlySet<OperationName> = new Set([
  "GetRecords",
  "GetShardIterator",
  "PutRecord",
  "PutRecords",
  "SubscribeToShard",
] as const);

/** See the file's head. */
export class AwsFace {
  readonly #client: EngineClient;
  readonly #puts: Puts;

  constructor(client: EngineClient) {
    this.#client = client;
    this.#puts = new Puts(client);
  }

  /**
   * Makes a call. Unknown members of the input are ignored.
   *
   * @throws errors whose code is AWS's exception name; the signal's reason.
   */
  async execute<Name extends OperationName>(
    operation: Name,
    input: unknown,
    settings: CallSettings = {},
  ): Promise<AnswerOf<Name>> {
    const { principal = ROOT_PRINCIPAL, signal } = settings;
    signal?.throwIfAborted();
    const answer = this.#run(operation, input ?? {}, { principal }, signal);
    return (await (signal === undefined ? answer : withSignal(signal, answer))) as AnswerOf<Name>;
  }

  async #run(
    operation: OperationName,
    input: unknown,
    caller: { readonly principal: string },
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    if (WITH_DRY_RUN.has(operation) && isDryRun(input)) {
      return await this.#client.call("dryRun", { operation, input, caller });
    }
    switch (operation) {
      case "PutRecord":
        return await this.#puts.putRecord(callOf(operation, input, caller, signal));
      case "PutRecords":
        return await this.#puts.putRecords(callOf(operation, input, caller, signal));
      case "GetRecords":
        return await getRecords(this.#client, callOf(operation, input, caller, signal));
      case "SubscribeToShard":
        return await this.#subscribe(callOf(operation, input, caller, signal));
      default:
        return await this.#client.call("invoke", { operation, input, caller });
    }
  }

  async #subscribe(call: FaceCall<"SubscribeToShard">): Promise<AnswerOf<"SubscribeToShard">> {
    return { EventStream: await ShardSubscription.open(this.#client, call) };
  }
}

function isDryRun(input: unknown): boolean {
  return typeof input === "object" && input !== null && "DryRun" in input && input.DryRun === true;
}

function callOf<Name extends OperationName>(
  operation: Name,
  input: unknown,
  caller: { readonly principal: string },
  signal: AbortSignal | undefined,
): FaceCall<Name> {
  return { operation, input: validateInput(operation, input), caller, signal };
}
