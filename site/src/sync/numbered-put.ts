/** Records that can be told apart at the far side: each with the run that made it and its number. */

/** What a record's data say. */
export interface NumberedPut {
  /** Names the page that made it. */
  readonly run: string;
  /** 0, 1, 2, and so on. */
  readonly number: number;
}

/** Partition keys over which the records are spread. */
const KEYS = 12;

/** The records of a run from one number on. */
export function numberedPuts(
  run: string,
  first: number,
  count: number,
): { readonly partitionKey: string; readonly data: string }[] {
  return Array.from({ length: count }, (_, i) => ({
    partitionKey: `till-${(first + i) % KEYS}`,
    data: JSON.stringify({ run, number: first + i } satisfies NumberedPut),
  }));
}

/** What a record's data say; undefined for data of another kind. */
export function numberIn(text: string): NumberedPut | undefined {
  try {
    const { run, number } = JSON.parse(text) as Partial<NumberedPut>;
    return typeof run === "string" && typeof number === "number" ? { run, number } : undefined;
  } catch {
    return undefined;
  }
}
