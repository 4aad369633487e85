/** What `millrace check` prints of a log. */
import type { StoredCheck } from "@millrace/engine/local";

/** One line of sums, and one for every damage. */
export function describeCheck({ path, kind, report }: StoredCheck): string {
  const { walFrames, walBytes, segments, segmentBytes, records, damage } = report;
  const what = kind === "archive" ? "export" : "store";
  const sums =
    `${path} (${what}): ${records} records in ${count(segments, "segment")} (${segmentBytes} bytes) ` +
    `and ${count(walFrames, "frame")} (${walBytes} bytes)`;
  const verdict = damage.length === 0 ? "no damage" : count(damage.length, "damage");
  const lines = damage.map((one) => {
    const lost = one.recordCount === undefined ? "" : ` (${count(one.recordCount, "record")})`;
    return `  ${one.kind}: ${one.where}: ${one.reason}${lost}`;
  });
  return `${[`${sums}: ${verdict}`, ...lines].join("\n")}\n`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
