/** Errors of the core: malformed batches, damaged images, memory that ran out, traps. */
import { type ErrorDetails, MillraceError, registerError } from "../errors/index.ts";

/** A request batch does not follow its layout or breaks a limit; nothing was appended. */
export class MalformedBatchError extends MillraceError {
  /** Position of the offending record in the batch, or undefined when it is the batch itself. */
  readonly row: number | undefined;

  constructor(message: string, details: ErrorDetails & { readonly row?: number } = {}) {
    super("ValidationException", message, details);
    this.row = details.row;
  }
}

/** A segment image or a run of frames does not verify; nothing was taken in. */
export class DamagedSegmentError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("DamagedSegmentException", message, details);
  }
}

/** The arena holds no free memory that may be recycled; sealing and declaring segments makes room. */
export class CoreMemoryError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("CoreMemoryException", message, { retryable: true, ...details });
  }
}

/** The bytes are not a Wasm module, or not the core. */
export class CoreModuleError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("CoreModuleException", message, details);
  }
}

/** The core stopped in the middle of a call. The instance is of no use any more: build a new one. */
export class CoreTrapError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("InternalFailureException", message, details);
  }
}

registerError("MalformedBatchError", MalformedBatchError);
registerError("DamagedSegmentError", DamagedSegmentError);
registerError("CoreMemoryError", CoreMemoryError);
registerError("CoreModuleError", CoreModuleError);
registerError("CoreTrapError", CoreTrapError);
