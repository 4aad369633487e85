/** Builds the stages of a pipeline: values of a stream on their way to another one. */
import { refuse } from "../check.ts";
import type { GroupStart } from "../groups/group-types.ts";
import {
  aggregateOperator,
  filterOperator,
  flatMapOperator,
  keyByOperator,
  mapOperator,
  type Operator,
} from "./operators.ts";
import type {
  Aggregation,
  RecordOrigin,
  RekeyOptions,
  SinkOptions,
  ValueFormat,
} from "./pipeline-types.ts";

/** Where a flow begins. */
export interface FlowStart {
  readonly streamName: string;
  readonly format: ValueFormat;
  /** Where reading starts the first time. */
  readonly position: GroupStart;
}

/** What a flow is written down with. */
export interface StageBuilder {
  /** Adds a stage; answers with the name of its stream. */
  add(from: FlowStart, operators: readonly Operator[], to: StageEnd): FlowStart;
  /** The stream between a new key and an aggregation. */
  between(options: RekeyOptions): StageEnd;
}

/** Where a stage ends. */
export interface StageEnd extends SinkOptions {
  readonly streamName: string;
}

/**
 * Values of one stream and what is done with them. Each call gives another flow, so that one may go on in
 * several ways. Functions may answer with a promise; they are called again for records that come again.
 */
export class Flow<Value> {
  readonly #builder: StageBuilder;
  readonly #start: FlowStart;
  readonly #operators: readonly Operator[];
  /** Where the key was changed since the values were together by key. */
  readonly #rekeyed: RekeyOptions | undefined;

  /** Made by `pipeline.from()`. */
  constructor(
    builder: StageBuilder,
    start: FlowStart,
    operators: readonly Operator[] = [],
    rekeyed?: RekeyOptions,
  ) {
    this.#builder = builder;
    this.#start = start;
    this.#operators = operators;
    this.#rekeyed = rekeyed;
  }

  /** Goes on with the values for which the function is true. */
  filter(test: (value: Value, origin: RecordOrigin) => boolean | Promise<boolean>): Flow<Value> {
    return this.#with(filterOperator(checkFunction("test", test)));
  }

  /** Goes on with what the function makes of each value. */
  map<Next>(change: (value: Value, origin: RecordOrigin) => Next | Promise<Next>): Flow<Next> {
    return this.#with(mapOperator(checkFunction("change", change)));
  }

  /** Goes on with all values that the function makes of each one. */
  flatMap<Next>(
    change: (value: Value, origin: RecordOrigin) => Iterable<Next> | Promise<Iterable<Next>>,
  ): Flow<Next> {
    return this.#with(flatMapOperator(checkFunction("change", change)));
  }

  /**
   * Goes on under another key: the partition key of what is stored. An aggregation after it reads from a stream
   * between, which is created, so that all values of a key come to one place.
   */
  keyBy(
    keyOf: (value: Value, origin: RecordOrigin) => string | Promise<string>,
    options: RekeyOptions = {},
  ): Flow<Value> {
    const operators = [...this.#operators, keyByOperator(checkFunction("keyOf", keyOf))];
    return new Flow(this.#builder, this.#start, operators, options);
  }

  /** Goes on with what comes of the state of each value's key, which is stored in one step with the output. */
  aggregate<State, Result = State>(aggregation: Aggregation<Value, State, Result>): Flow<Result> {
    checkFunction("aggregation.initial", aggregation?.initial);
    checkFunction("aggregation.add", aggregation.add);
    const { result } = aggregation;
    if (result !== undefined) checkFunction("aggregation.result", result);
    const operator = aggregateOperator(aggregation as never);
    if (this.#rekeyed === undefined) return this.#with(operator);
    const end = this.#builder.between(this.#rekeyed);
    const start = this.#builder.add(this.#start, this.#operators, end);
    return new Flow(this.#builder, start, [operator]);
  }

  /**
   * Writes the values to a stream, which is created when there is none; this is one stage. Answers with the flow
   * of that stream. @throws InvalidArgumentError.
   */
  to(streamName: string, options: SinkOptions = {}): Flow<Value> {
    const end = { ...options, streamName };
    return new Flow(this.#builder, this.#builder.add(this.#start, this.#operators, end));
  }

  #with<Next>(operator: Operator): Flow<Next> {
    return new Flow(this.#builder, this.#start, [...this.#operators, operator], this.#rekeyed);
  }
}

function checkFunction<Given>(argument: string, given: Given): Given {
  return typeof given === "function" ? given : refuse(argument, "a function", given, "function");
}
