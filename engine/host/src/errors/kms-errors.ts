/** Errors of the keys that encrypt streams, under the names and with the texts of AWS's KMS. */
import { type ErrorDetails, MillraceError } from "./errors.ts";

/** The call names a key, or an alias, that there is not. */
export class KmsNotFoundError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("KMSNotFoundException", message, details);
  }
}

/** The key is disabled: nothing is written or read with it until it is enabled again. */
export class KmsDisabledError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("KMSDisabledException", message, details);
  }
}

/** The key is in a state that does not allow the call, as one that was destroyed. */
export class KmsInvalidStateError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("KMSInvalidStateException", message, details);
  }
}

/** The key's policy does not let the caller use it. */
export class KmsAccessDeniedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("KMSAccessDeniedException", message, details);
  }
}
