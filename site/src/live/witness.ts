/**
 * A count of acknowledged records outside the engine's store, so that after a reload the page can hold
 * what it finds against what it had been promised.
 */

const KEY = "millrace-live-witness";

/** What the page had been told about one stream. */
export interface Witness {
  /** Which stream: another one under the same name has another time of creation. */
  readonly createdMs: number;
  /** Records acknowledged since the stream was created, over all visits. */
  readonly acknowledged: number;
}

function isWitness(value: unknown): value is Witness {
  if (typeof value !== "object" || value === null) return false;
  const { createdMs, acknowledged } = value as Partial<Record<keyof Witness, unknown>>;
  return typeof createdMs === "number" && typeof acknowledged === "number";
}

/** The witness; undefined when there is none. */
export function readWitness(): Witness | undefined {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return isWitness(value) ? value : undefined;
  } catch {
    // Storage that is switched off or holds something else is as good as no witness.
    return undefined;
  }
}

/** Writes the witness. Returns whether the browser keeps it. */
export function writeWitness(witness: Witness): boolean {
  try {
    localStorage.setItem(KEY, JSON.stringify(witness));
    return true;
  } catch {
    return false;
  }
}

/** Forgets the witness, as when its records are deleted on purpose. */
export function forgetWitness(): void {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Where nothing can be removed nothing was written either.
  }
}
