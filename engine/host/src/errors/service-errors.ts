/** Errors that AWS's operations know, under AWS's names. */
import { type ErrorDetails, MillraceError } from "./errors.ts";

/** Account that ARNs and messages name. */
export const ACCOUNT_ID = "000000000000";

/** An argument is not what the operation takes. */
export class InvalidArgumentError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("InvalidArgumentException", message, details);
  }
}

/** An argument breaks a constraint of the service model. */
export class ValidationError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ValidationException", message, details);
  }
}

/** A call's input is not of the types that the service model states, or its bytes cannot be read. */
export class SerializationError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("SerializationException", message, details);
  }
}

/** What the call names does not exist. */
export class ResourceNotFoundError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ResourceNotFoundException", message, details);
  }

  /** For a stream. */
  static stream(name: string): ResourceNotFoundError {
    return new ResourceNotFoundError(`Stream ${name} under account ${ACCOUNT_ID} not found.`, {
      argument: "name",
      value: name,
    });
  }

  /** For a shard. */
  static shard(shardId: string, streamName: string): ResourceNotFoundError {
    return new ResourceNotFoundError(
      `Shard ${shardId} in stream ${streamName} under account ${ACCOUNT_ID} does not exist`,
      { argument: "shard", value: shardId },
    );
  }
}

/** What the call would create exists, or is in a state that does not allow the call. */
export class ResourceInUseError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ResourceInUseException", message, details);
  }
}

/** `ensure` found a stream of that name with another specification; the message names both. */
export class StreamSpecMismatchError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ResourceInUseException", message, details);
  }

  /** For one field of the specification: `value` is what was wanted, `limit` what the stream has. */
  static field(
    streamName: string,
    field: string,
    wanted: number,
    found: number,
  ): StreamSpecMismatchError {
    return new StreamSpecMismatchError(
      `Stream ${streamName} exists with another specification: ${field} is ${found}, not ${wanted}.`,
      { argument: field, value: wanted, limit: found },
    );
  }
}

/** The engine holds as many of something as it may. */
export class LimitExceededError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("LimitExceededException", message, details);
  }
}

/** A shard's quota is used up for the moment. */
export class ThroughputExceededError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ProvisionedThroughputExceededException", message, { retryable: true, ...details });
  }

  /** AWS's text for a shard that is over its quota, followed by which limit that is. */
  static text(shardId: string, streamName: string, limit: string): string {
    return (
      `Rate exceeded for shard ${shardId} in stream ${streamName} under account ${ACCOUNT_ID}. ` +
      `Limit: ${limit}.`
    );
  }
}

/** A request batch is over 12 MiB. */
export class RequestTooLargeError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("InvalidArgumentException", message, details);
  }
}

/** Data and key of one record are over the stream's limit. */
export class RecordTooLargeError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ValidationException", message, details);
  }
}

/** A resource policy denies the call, or a stranger has no policy that allows it. */
export class AccessDeniedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("AccessDeniedException", message, details);
  }
}

/** A shard iterator is older than five minutes. */
export class ExpiredIteratorError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ExpiredIteratorException", message, details);
  }
}

/** A pagination token is older than five minutes. */
export class ExpiredNextTokenError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ExpiredNextTokenException", message, details);
  }
}

/** The call would have been made, had it not been a dry run. */
export class DryRunError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("DryRunOperationException", message, details);
  }
}

/** The operation is known and its input is right, but this build cannot do it; the message says what is missing. */
export class NotSupportedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("NotSupportedException", message, details);
  }
}

/** An injected fault ended the connection; the call may have taken effect. */
export class ConnectionDroppedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ConnectionDroppedException", message, { retryable: true, ...details });
  }
}
