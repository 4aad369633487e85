/** What a direct call is answered with: the output as it is, or the client's own exception. */
import { toMillraceError } from "@millrace/engine";
import { type AwsError, awsErrorOf } from "@millrace/engine/model";
import type { ShardEvent, ShardEvents } from "./calls.ts";
import { nextRequestId } from "./request-id.ts";

/** A client's registry of exception classes, as far as it is known here. */
interface ErrorTypes {
  getSchema(name: string): unknown;
  getErrorCtor(schema: unknown): (new (options: object) => Error) | undefined;
  getBaseException?(): unknown;
}

type ErrorClass = new (options: object) => Error;

function isErrorTypes(value: unknown): value is ErrorTypes {
  const known = typeof value === "object" && value !== null && "getSchema" in value;
  return known && "getErrorCtor" in value && typeof value.getErrorCtor === "function";
}

function classFor(name: string, registry: ErrorTypes): ErrorClass | undefined {
  try {
    return registry.getErrorCtor(registry.getSchema(name));
  } catch {
    // Registries throw at names that they do not know.
    return undefined;
  }
}

/** The client's class for an exception's name, or for all that it has no class for. */
function errorClassOf(name: string, errorTypes: unknown): ErrorClass | undefined {
  const registries = (Array.isArray(errorTypes) ? errorTypes : []).filter(isErrorTypes);
  for (const registry of registries) {
    const found = classFor(name, registry);
    if (found !== undefined) return found;
  }
  for (const registry of registries) {
    const base = registry.getBaseException?.();
    if (base !== undefined) return registry.getErrorCtor(base);
  }
  return undefined;
}

function metadataOf(httpStatusCode: number) {
  return { httpStatusCode, requestId: nextRequestId() };
}

/** The exception as the client would have made it of an HTTP response. */
function exceptionOf(thrown: unknown, errorTypes: unknown): Error {
  const error: AwsError = awsErrorOf(thrown);
  const options = {
    name: error.code,
    message: error.message,
    $fault: error.fault,
    $metadata: metadataOf(error.statusCode),
  };
  const errorClass = errorClassOf(error.code, errorTypes);
  const exception = errorClass === undefined ? new Error(error.message) : new errorClass(options);
  const { retryAfterMs } = toMillraceError(thrown);
  const hint = retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) };
  return Object.assign(exception, options, hint, { __type: error.code });
}

/** A subscription whose errors are the client's. */
class DirectEvents implements ShardEvents {
  readonly #events: ShardEvents;
  readonly #errorTypes: unknown;

  constructor(events: ShardEvents, errorTypes: unknown) {
    this.#events = events;
    this.#errorTypes = errorTypes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<ShardEvent, undefined>> {
    try {
      return await this.#events.next();
    } catch (error) {
      throw exceptionOf(error, this.#errorTypes);
    }
  }

  return(): Promise<IteratorResult<ShardEvent, undefined>> {
    return this.#events.return();
  }
}

/** The answer to one direct call. */
export class DirectAnswer {
  /** Where middleware looks for the outcome. */
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>> = {};
  readonly #output: unknown;
  readonly #error: unknown;

  /** One of both: the output, which operations without members do not have, or what was thrown. */
  constructor(output: unknown, error: unknown) {
    this.#output = output;
    this.#error = error;
    this.statusCode = error === undefined ? 200 : awsErrorOf(error).statusCode;
  }

  /** The output with its metadata. @throws the client's own exception. */
  read(errorTypes: unknown): unknown {
    if (this.#error !== undefined) throw exceptionOf(this.#error, errorTypes);
    const output = this.#output;
    const $metadata = metadataOf(this.statusCode);
    if (typeof output !== "object" || output === null) return { $metadata };
    if (!("EventStream" in output)) return Object.assign(output, { $metadata });
    const events = output.EventStream as ShardEvents;
    return { EventStream: new DirectEvents(events, errorTypes), $metadata };
  }
}
