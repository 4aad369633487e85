/** From the address of a records view to the position that the SDK reads from. */
import type { ReadFrom } from "millrace";
import type { PositionType, RecordsAddress } from "../places/address.ts";

/** Where a reading begins, as the SDK wants to hear it. */
export function readFrom({ from, atMs, sequence }: RecordsAddress): ReadFrom {
  switch (from) {
    case "TRIM_HORIZON":
    case "LATEST":
      return from;
    case "AT_TIMESTAMP":
      return new Date(atMs ?? Number.NaN);
    case "AT_SEQUENCE_NUMBER":
      return { sequenceNumber: sequence ?? "" };
    case "AFTER_SEQUENCE_NUMBER":
      return { sequenceNumber: sequence ?? "", after: true };
  }
}

/** Two addresses with the same key name the same reading; filter and selection do not count. */
export function positionKey(address: RecordsAddress): string {
  const { stream, shardIndex, from, atMs, sequence } = address;
  return JSON.stringify([stream, shardIndex, from, atMs, sequence]);
}

/** Whether the position has all that its type asks for. */
export function isComplete({ from, atMs, sequence }: RecordsAddress): boolean {
  if (from === "AT_TIMESTAMP") return atMs !== undefined;
  return !from.endsWith("SEQUENCE_NUMBER") || (sequence ?? "") !== "";
}

const WORDS: Readonly<Record<PositionType, string>> = {
  TRIM_HORIZON: "Oldest record",
  LATEST: "After the newest",
  AT_TIMESTAMP: "At a time",
  AT_SEQUENCE_NUMBER: "At a sequence number",
  AFTER_SEQUENCE_NUMBER: "After a sequence number",
};

/** A position's type in plain words; AWS's own stand beside. */
export function positionWords(type: PositionType): string {
  return WORDS[type];
}
