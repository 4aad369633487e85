/** AWS's operations over one life of an engine: runs them by name, and what of the data operations is no record. */
import {
  DryRunError,
  InvalidArgumentError,
  MillraceError,
  NotSupportedError,
} from "../errors/index.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import { parseIterator } from "../model/iterator-token.ts";
import type { InputOf, OperationName, OutputOf, StructureOf } from "../model/shapes.ts";
import { validateInput } from "../model/validate.ts";
import { shardIdOf } from "../sequence/sequence-number.ts";
import { streamArn } from "../streams/arns.ts";
import { streamPrefix } from "../streams/documents.ts";
import { decimalHashKey } from "../streams/hash-ranges.ts";
import { childrenOf, parentIndexesOf } from "../streams/lineage.ts";
import type { Subscriptions } from "../streams/subscriptions.ts";
import type { ApiCall, Caller, DataOperationName } from "./engine-service.ts";
import { checkIterator, checkIteratorStream } from "./iterator-check.ts";
import { type Before, lookBefore, owedAnswer, tookEffect } from "./operation-repeat.ts";
import { operationTable } from "./operations/index.ts";
import type { ControlOperationName, Operation, OperationContext } from "./operations/operation.ts";

const DATA_OPERATIONS: ReadonlySet<OperationName> = new Set<DataOperationName>([
  "PutRecord",
  "PutRecords",
  "GetRecords",
  "SubscribeToShard",
]);

/** Whether an operation is one that `invoke` runs. */
export function isControlOperation(operation: OperationName): operation is ControlOperationName {
  return !DATA_OPERATIONS.has(operation);
}

/** Operations of one life. */
export class ApiDispatch {
  readonly #context: OperationContext;
  readonly #subscriptions: Subscriptions;

  constructor(context: OperationContext, subscriptions: Subscriptions) {
    this.#context = context;
    this.#subscriptions = subscriptions;
  }

  /** Runs an operation with a validated input. @throws as the operation. */
  async run<Name extends ControlOperationName>(
    operation: Name,
    input: InputOf<Name>,
    caller: Caller,
  ): Promise<OutputOf<Name>> {
    const run: Operation<Name> | undefined = operationTable[operation];
    if (run === undefined) throw new NotSupportedError(`${operation} is not built yet`);
    return await run(this.#context, input, caller);
  }

  /** Looks at what an operation is to change, before it is first made. */
  lookBefore<Name extends ControlOperationName>(operation: Name, input: InputOf<Name>): Before {
    return lookBefore(this.#context, operation, input);
  }

  /** Runs an operation that may have taken effect in the life before; what it finds done since `before` is its own work. */
  async runAgain<Name extends ControlOperationName>(
    operation: Name,
    input: InputOf<Name>,
    caller: Caller,
    before: Before,
  ): Promise<unknown> {
    if (!tookEffect(this.#context, operation, input, before)) {
      return await this.run(operation, input, caller);
    }
    return await owedAnswer(operation, input, before, this.#context, (name, described) =>
      this.run(name, described, caller),
    );
  }

  /**
   * Runs an operation that was sent to an earlier leader, too. Where it is refused because what it is to
   * bring about is the case already, that counts as its own work; whether it is allowed is checked first.
   */
  async runUnderNextLeader<Name extends ControlOperationName>(
    operation: Name,
    input: InputOf<Name>,
    caller: Caller,
  ): Promise<unknown> {
    const before = { ...this.lookBefore(operation, input), shown: false };
    try {
      return await this.run(operation, input, caller);
    } catch (error) {
      if (!isRefusal(error) || !tookEffect(this.#context, operation, input, before)) throw error;
      return await owedAnswer(operation, input, before, this.#context, (name, described) =>
        this.run(name, described, caller),
      );
    }
  }

  /** Makes all checks of a call but those of its records. @throws DryRunError when they are all passed. */
  async dryRun({ operation, input, caller }: ApiCall): Promise<never> {
    switch (operation) {
      case "PutRecord":
      case "PutRecords":
        this.locateStream({ operation, input, caller });
        break;
      case "GetRecords":
        this.#checkGetRecords(validateInput(operation, input), caller);
        break;
      case "SubscribeToShard":
        await this.#subscriptions.check({ ...validateInput(operation, input), caller });
        break;
      case "GetShardIterator": {
        const checked = validateInput(operation, input);
        await this.run(operation, { ...checked, DryRun: true }, caller);
        break;
      }
      default:
        throw new InvalidArgumentError(`${operation} has no dry run`, {
          argument: "operation",
          value: operation,
        });
    }
    throw new DryRunError("Request would have succeeded, but DryRun flag is set.");
  }

  /**
   * The stream that a put's input names, when the caller may put into it and it takes records.
   * @throws ValidationError, InvalidArgumentError, ResourceNotFoundError, AccessDeniedError.
   */
  locateStream({ operation, input, caller }: ApiCall): StreamDefinition {
    const { catalogue } = this.#context;
    // The records are not here; this operation takes exactly the members that name a stream.
    const stream = catalogue.resolve(validateInput("DescribeStreamSummary", input));
    this.#authorise(stream, operation, caller);
    return stream;
  }

  /** Children of a closed shard, lower hash keys first. @throws ResourceNotFoundError. */
  childShards(streamUid: number, shardIndex: number): StructureOf<"ChildShard">[] {
    const stream = this.#context.catalogue.getByUid(streamUid);
    return childrenOf(stream, shardIndex).map((child) => ({
      ShardId: shardIdOf(child.shardIndex),
      ParentShards: parentIndexesOf(child).map(shardIdOf),
      HashKeyRange: {
        StartingHashKey: decimalHashKey(child.startingHashKey),
        EndingHashKey: decimalHashKey(child.endingHashKey),
      },
    }));
  }

  #authorise(stream: StreamDefinition, operation: OperationName, caller: Caller): void {
    const { access, catalogue, keys } = this.#context;
    const resource = { arn: streamArn(stream.name), key: streamPrefix(stream.uid) };
    access.check(caller.principal, operation, resource);
    catalogue.requireUsable(stream);
    const use = operation === "GetRecords" ? "Decrypt" : "GenerateDataKey";
    keys.check(stream, caller.principal, use);
  }

  #checkGetRecords(input: InputOf<"GetRecords">, caller: Caller): void {
    const { catalogue, clock } = this.#context;
    const { shardIndex, streamUid, ...stamp } = parseIterator(input.ShardIterator);
    const stream = catalogue.getByUid(streamUid);
    this.#authorise(stream, "GetRecords", caller);
    checkIteratorStream(catalogue, stream, input.StreamARN);
    checkIterator(stamp, stream, shardIndex, clock.nowMs());
  }
}

/** Refusals of an operation whose effect is there already, whoever brought it about. */
const REFUSALS: ReadonlySet<string> = new Set([
  "InvalidArgumentException",
  "LimitExceededException",
  "ResourceInUseException",
  "ResourceNotFoundException",
  "ValidationException",
]);

function isRefusal(error: unknown): boolean {
  return error instanceof MillraceError && REFUSALS.has(error.code);
}

/** AWS's answer to the name of an operation that it does not know. */
export function unknownOperation(operation: string): MillraceError {
  return new MillraceError("UnknownOperationException", "", {
    argument: "operation",
    value: operation.slice(0, 80),
  });
}
