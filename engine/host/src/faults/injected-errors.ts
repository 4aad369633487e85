/** Errors that stand for injected faults: of the class that the real failure would have. */
import {
  AccessDeniedError,
  ConnectionDroppedError,
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
  type MillraceErrorClass,
  ResourceInUseError,
  ResourceNotFoundError,
  ThroughputExceededError,
  ValidationError,
} from "../errors/index.ts";
import type { FaultEffect } from "./fault-rules.ts";

/** Classes by AWS's name; an error of another name is a MillraceError with that code. */
const CLASSES: ReadonlyMap<string, MillraceErrorClass> = new Map<string, MillraceErrorClass>([
  ["AccessDeniedException", AccessDeniedError],
  ["ExpiredIteratorException", ExpiredIteratorError],
  ["ExpiredNextTokenException", ExpiredNextTokenError],
  ["InternalFailureException", InternalFailureError],
  ["InvalidArgumentException", InvalidArgumentError],
  ["KMSAccessDeniedException", KmsAccessDeniedError],
  ["KMSDisabledException", KmsDisabledError],
  ["KMSInvalidStateException", KmsInvalidStateError],
  ["KMSNotFoundException", KmsNotFoundError],
  ["LimitExceededException", LimitExceededError],
  ["ProvisionedThroughputExceededException", ThroughputExceededError],
  ["ResourceInUseException", ResourceInUseError],
  ["ResourceNotFoundException", ResourceNotFoundError],
  ["ValidationException", ValidationError],
]);

/** Codes that AWS's clients try again at. */
const RETRYABLE: ReadonlySet<string> = new Set([
  "InternalFailureException",
  "KMSThrottlingException",
  "LimitExceededException",
  "ProvisionedThroughputExceededException",
]);

/** The error that an effect of failure brings about. */
export function injectedError(
  effect: Extract<FaultEffect, { kind: "error" | "dropped-connection" }>,
): MillraceError {
  if (effect.kind === "dropped-connection") {
    const after = effect.when === "after";
    return new ConnectionDroppedError(
      after
        ? "the connection was dropped by an injected fault after the call was made"
        : "the connection was dropped by an injected fault before the call was made",
      { indeterminate: after },
    );
  }
  const { code, message = "The call failed by an injected fault." } = effect;
  const details: ErrorDetails = { retryable: RETRYABLE.has(code) };
  const errorClass = CLASSES.get(code);
  return errorClass === undefined
    ? new MillraceError(code, message, details)
    : new errorClass(message, details);
}
