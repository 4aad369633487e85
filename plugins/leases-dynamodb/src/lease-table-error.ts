/** What is wrong with a table, when it is nothing that AWS has an error for. */
import { MillraceError } from "millrace";

/** Facts that the error carries besides its message. */
type Details = ConstructorParameters<typeof MillraceError>[2];

/** The table is not one of leases, or in a state in which it cannot be used. Nothing was changed in it. */
export class LeaseTableError extends MillraceError {
  constructor(message: string, details: Details = {}) {
    super("LeaseTableException", message, details);
  }
}
