/** What an AWS operation is here: a function of the engine's parts, a validated input and a caller. */
import type { AccessControl } from "../../access/access-control.ts";
import type { Log } from "../../log/log.ts";
import type { MetricsRegistry } from "../../metrics/metrics-registry.ts";
import type { InputOf, OperationName, OutputOf } from "../../model/shapes.ts";
import type { Clock, Random } from "../../platform/platform.ts";
import type { Catalogue } from "../../streams/catalogue.ts";
import type { Documents } from "../../streams/documents.ts";
import type { EngineKeys } from "../engine-keys.ts";
import type { Caller, DataOperationName, EngineOptions } from "../engine-service.ts";

/** The parts of an engine that operations work with. */
export interface OperationContext {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: EngineOptions;
  readonly catalogue: Catalogue;
  readonly documents: Documents;
  readonly access: AccessControl;
  readonly metrics: MetricsRegistry;
  readonly keys: EngineKeys;
}

/** Operations that `invoke` runs. */
export type ControlOperationName = Exclude<OperationName, DataOperationName>;

/**
 * One operation. The input was validated against the model; the function checks the rest, asks
 * `context.access` before it touches a resource, and throws errors with AWS's names.
 */
export type Operation<Name extends OperationName> = (
  context: OperationContext,
  input: InputOf<Name>,
  caller: Caller,
) => OutputOf<Name> | Promise<OutputOf<Name>>;

/** Operations by name. */
export type OperationTable = { readonly [Name in ControlOperationName]: Operation<Name> };
