/** The error that a call ends with. */
import { MillraceError } from "../../src/errors/errors.ts";

/** The MillraceError that a promise rejects with; fails when it resolves. */
export async function failureOf(promise: Promise<unknown>): Promise<MillraceError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error("the call succeeded");
}
