/**
 * What an AWS client throws, as an error of ours: one table for what the service says, and for everything
 * else what can be told of the network. Nothing of the request is kept: it bears the credentials' token.
 */
import {
  AccessDeniedError,
  DryRunError,
  type ErrorDetails,
  ExpiredIteratorError,
  ExpiredNextTokenError,
  InternalFailureError,
  InvalidArgumentError,
  KmsAccessDeniedError,
  KmsDisabledError,
  KmsInvalidStateError,
  KmsNotFoundError,
  LimitExceededError,
  MillraceError,
  NotSupportedError,
  ResourceInUseError,
  ResourceNotFoundError,
  ThroughputExceededError,
  ValidationError,
} from "@millrace/engine";
import { type AwsService, KINESIS } from "./aws-service.ts";
import {
  ClockSkewError,
  CredentialsError,
  RemoteUnavailableError,
  WrongEndpointError,
} from "./remote-errors.ts";

/** The call that failed. */
export interface FailedCall {
  readonly operation: string;
  /** Whose operation it is; Kinesis when absent. */
  readonly service?: AwsService;
  /** What errors call the far side. */
  readonly place: string;
  /** Whether it may have changed something before it failed. */
  readonly changes: boolean;
}

type Make = (message: string, details: ErrorDetails) => MillraceError;

/** An exception of the service that may be tried again, as nothing came of it. */
const again =
  (make: Make): Make =>
  (message, details) =>
    make(message, { ...details, retryable: true });

const limitExceeded = again((message, details) => new LimitExceededError(message, details));
/** Somebody else changes the same thing at this moment (DynamoDB). */
const conflict = (name: string): Make =>
  again((message, details) => new MillraceError(name, message, details));
const credentials: Make = (message, details) => new CredentialsError(message, details);
const clockSkew = again((message, details) => new ClockSkewError(message, details));
const unavailable: Make = (message, details) => new RemoteUnavailableError(message, details);

/** Errors by the name under which AWS's services raise them, whether or not the name ends in "Exception". */
const BY_NAME: Readonly<Record<string, Make>> = {
  AccessDenied: (message, details) => new AccessDeniedError(message, details),
  NotAuthorized: (message, details) => new AccessDeniedError(message, details),
  OptInRequired: (message, details) => new AccessDeniedError(message, details),
  DryRunOperation: (message, details) => new DryRunError(message, details),
  ExpiredIterator: (message, details) => new ExpiredIteratorError(message, details),
  ExpiredNextToken: (message, details) => new ExpiredNextTokenError(message, details),
  InvalidArgument: (message, details) => new InvalidArgumentError(message, details),
  KMSAccessDenied: (message, details) => new KmsAccessDeniedError(message, details),
  KMSDisabled: (message, details) => new KmsDisabledError(message, details),
  KMSInvalidState: (message, details) => new KmsInvalidStateError(message, details),
  KMSNotFound: (message, details) => new KmsNotFoundError(message, details),
  KMSOptInRequired: (message, details) => new KmsAccessDeniedError(message, details),
  KMSThrottling: limitExceeded,
  LimitExceeded: limitExceeded,
  ProvisionedThroughputExceeded: (message, details) =>
    new ThroughputExceededError(message, details),
  RequestLimitExceeded: limitExceeded,
  ReplicatedWriteConflict: conflict("ReplicatedWriteConflictException"),
  ResourceInUse: (message, details) => new ResourceInUseError(message, details),
  ResourceNotFound: (message, details) => new ResourceNotFoundError(message, details),
  Serialization: (message, details) => new ValidationError(message, details),
  Throttled: limitExceeded,
  Throttling: limitExceeded,
  TooManyRequests: limitExceeded,
  TransactionConflict: conflict("TransactionConflictException"),
  Validation: (message, details) => new ValidationError(message, details),
  // Of credentials and signatures.
  CredentialsProviderError: credentials,
  ExpiredToken: credentials,
  IncompleteSignature: credentials,
  InvalidAccessKeyId: credentials,
  InvalidClientTokenId: credentials,
  InvalidSignature: credentials,
  MissingAuthenticationToken: credentials,
  SignatureDoesNotMatch: credentials,
  UnrecognizedClient: credentials,
  RequestExpired: clockSkew,
  RequestInTheFuture: clockSkew,
  RequestTimeTooSkewed: clockSkew,
};

/** Codes of failures before anything was sent. */
const NOT_SENT =
  /\b(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL)\b/;
const SKEWED = /signature (expired|not yet current)/i;
/** Longer messages may quote the whole request. */
const MESSAGE_CHARACTERS_MAX = 240;

interface Thrown {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  /** Status of the HTTP answer; undefined when there was none. */
  readonly status: number | undefined;
  /** Whether an AWS service, or what looks like one, said it. */
  readonly fromService: boolean;
  readonly cause: Error;
}

/** The first line, which says what is wrong; further ones quote the request. */
function firstLine(message: string): string {
  return message.split("\n", 1)[0]?.slice(0, MESSAGE_CHARACTERS_MAX) ?? "";
}

function read(thrown: unknown): Thrown {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { $metadata, $fault, code } = error as Error & {
    $metadata?: { httpStatusCode?: number };
    $fault?: string;
    code?: unknown;
  };
  const cause = new Error(firstLine(error.message));
  cause.name = error.name;
  return {
    name: error.name,
    message: firstLine(error.message),
    code: typeof code === "string" ? code : undefined,
    status: $metadata?.httpStatusCode,
    fromService: $fault !== undefined,
    cause,
  };
}

/** The error of a call that an AWS client failed with. */
export function remoteFailure(call: FailedCall, thrown: unknown): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const told = read(thrown);
  // An exception inside an event stream has no status of its own.
  const answered = told.fromService || told.status !== undefined;
  return answered ? answeredFailure(call, told) : networkFailure(call, told);
}

function answeredFailure(call: FailedCall, told: Thrown): MillraceError {
  const { name, message, cause, status = 0 } = told;
  const plain = name.replace(/^.*#/, "").replace(/Exception$/, "");
  if (plain === "InvalidSignature" && SKEWED.test(message)) return clockSkew(message, { cause });
  const make = Object.hasOwn(BY_NAME, plain) ? BY_NAME[plain] : undefined;
  if (make !== undefined) return make(message, { cause });
  if (status >= 500) {
    const text = `${call.place} failed ${call.operation}: ${name} (${status}): ${message}`;
    return unavailable(text, { cause, indeterminate: call.changes });
  }
  if (status === 429) return limitExceeded(message, { cause });
  const { service = KINESIS } = call;
  if (plain === "UnknownOperation" && !service.everywhere.has(call.operation)) {
    return new NotSupportedError(`${call.place} has no operation ${call.operation}`, {
      argument: "operation",
      value: call.operation,
      cause,
    });
  }
  if (told.fromService && plain !== "UnknownOperation" && plain !== "Unknown") {
    const text = `${call.place} refused ${call.operation}: ${name}: ${message}`;
    return new MillraceError(name, text, { cause });
  }
  return wrongEndpoint(call, `status ${status}, ${name}: ${message}`, cause);
}

/** The error for an endpoint whose answer the service does not give. */
export function wrongEndpoint(
  { operation, place, service = KINESIS }: FailedCall,
  answer: string,
  cause?: unknown,
): MillraceError {
  return new WrongEndpointError(
    `${place} is not ${service.name}: it answered ${operation} with ${answer}`,
    {
      argument: "endpoint",
      value: place,
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

function networkFailure(call: FailedCall, { name, message, code, cause }: Thrown): MillraceError {
  if (/credential/i.test(name) || /credential/i.test(message))
    return credentials(message, { cause });
  const hint =
    code === "ERR_HTTP2_ERROR"
      ? "; an endpoint without HTTP/2 needs a requestHandler that speaks HTTP/1.1"
      : "";
  const said = code === undefined ? name : code;
  const isNetwork = code !== undefined || name === "TypeError" || name === "TimeoutError";
  if (!isNetwork && name !== "AbortError") {
    return new InternalFailureError(`${call.operation} failed unexpectedly: ${name}: ${message}`, {
      cause,
      indeterminate: call.changes,
    });
  }
  const indeterminate = call.changes && !NOT_SENT.test(`${code} ${message}`);
  const text = `${call.place} cannot be reached for ${call.operation}: ${said}: ${message}${hint}`;
  return unavailable(text, { cause, indeterminate });
}
