/** Checks an operation's input against the service model, with AWS's messages. */
import { structureCheckOf } from "./checks.ts";
import { Inspection } from "./inspection.ts";
import { type InputOf, type OperationName, operations } from "./shapes.ts";

/**
 * The input without members that the model does not know or that are null; the very same object when
 * there are none. Rules between members are the operations' own.
 *
 * @throws SerializationError when a value is not of its type.
 * @throws ValidationError when values break the model's constraints; it names up to ten.
 */
export function validateInput<Name extends OperationName>(
  operation: Name,
  input: unknown,
): InputOf<Name> {
  const inspection = new Inspection();
  const check = structureCheckOf(operations[operation].input);
  const kept = check.inspect(input ?? {}, inspection);
  inspection.conclude();
  return kept as InputOf<Name>;
}
