/** How operations find the stream they are about: by name or ARN, if the caller may make the call. */
import { ACCOUNT_ID, ValidationError } from "../../errors/index.ts";
import type { StreamDefinition } from "../../log/control-records.ts";
import type { OperationName } from "../../model/shapes.ts";
import type { StreamReference } from "../../streams/catalogue.ts";
import type { Caller } from "../engine-service.ts";
import type { OperationContext } from "./operation.ts";
import { streamResource } from "./resources.ts";

/** A call as the lookup needs to know it. */
export interface LocatingCall {
  readonly operation: OperationName;
  readonly caller: Caller;
}

/**
 * The stream that a call names, once access control has let the call pass.
 * @throws InvalidArgumentError, ResourceNotFoundError, AccessDeniedError.
 */
export function locateStream(
  context: OperationContext,
  reference: StreamReference,
  { operation, caller }: LocatingCall,
): StreamDefinition {
  const stream = context.catalogue.resolve(reference);
  context.access.check(caller.principal, operation, streamResource(stream));
  return stream;
}

/** {@link locateStream} for a change of the stream, which must be ACTIVE. @throws ResourceInUseError, too. */
export function locateActiveStream(
  context: OperationContext,
  reference: StreamReference,
  call: LocatingCall,
): StreamDefinition {
  const stream = locateStream(context, reference, call);
  context.catalogue.requireActive(stream);
  return stream;
}

/** Refuses what only streams with provisioned shards can do. @throws ValidationError. */
export function requireProvisioned(stream: StreamDefinition): void {
  if (stream.mode === "PROVISIONED") return;
  throw new ValidationError(
    `Request is invalid. Stream ${stream.name} under account ${ACCOUNT_ID} is in On-Demand mode.`,
    { argument: "StreamName", value: stream.name },
  );
}
