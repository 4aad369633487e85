/** Ids of requests: unique without asking for randomness at every one. */
import { hexOfBytes, systemRandom } from "@millrace/engine";

const RANDOM_BYTES = 10;

let prefix: string | undefined;
let count = 0;

function makePrefix(): string {
  const hex = hexOfBytes(systemRandom.fill(new Uint8Array(RANDOM_BYTES)));
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(12, 15)}`,
    `a${hex.slice(15, 18)}`,
  ];
  return `${parts.join("-")}-`;
}

/** An id in the form of a UUID: random per thread, counted within it. */
export function nextRequestId(): string {
  prefix ??= makePrefix();
  count += 1;
  return prefix + count.toString(16).padStart(12, "0");
}
