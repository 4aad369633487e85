/** Errors that only a service behind a network has. */
import { type ErrorDetails, MillraceError, registerError } from "@millrace/engine";

/** The endpoint cannot be reached, or says that it cannot answer now; `cause` is what the network said. */
export class RemoteUnavailableError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ServiceUnavailableException", message, { retryable: true, ...details });
  }
}

/** The service does not accept the credentials, or there are none. Nothing was stored. */
export class CredentialsError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("UnrecognizedClientException", message, details);
  }
}

/** This machine's clock is too far from the service's for signatures to count. Nothing was stored. */
export class ClockSkewError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("RequestTimeTooSkewedException", message, details);
  }
}

/** What answers at the endpoint is not Kinesis; the message says what it answered. */
export class WrongEndpointError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("WrongEndpointException", message, details);
  }
}

registerError("RemoteUnavailableError", RemoteUnavailableError);
registerError("CredentialsError", CredentialsError);
registerError("ClockSkewError", ClockSkewError);
registerError("WrongEndpointError", WrongEndpointError);
