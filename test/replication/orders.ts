/** The records that the runs replicate: numbered, of many keys, so that a copy tells what is missing or out of order. */
import type { Stream } from "../../sdk/src/stream.ts";

/** Name of the stream, here and there. */
export const STREAM = "orders";
const KEYS = 997;
const PUT_AT_ONCE = 2000;

/** Partition key of a record. */
export function orderKey(number: number): string {
  return `key-${number % KEYS}`;
}

/** Puts the records from a number up to another one, each of so many bytes. @throws Error when one is refused. */
export async function putOrders(
  stream: Pick<Stream, "putRecords">,
  begin: number,
  end: number,
  dataBytes: number,
): Promise<void> {
  for (let from = begin; from < end; from += PUT_AT_ONCE) {
    const some = Array.from({ length: Math.min(PUT_AT_ONCE, end - from) }, (_, i) => ({
      partitionKey: orderKey(from + i),
      data: `${from + i}`.padEnd(dataBytes, " "),
    }));
    const { failedRecordCount } = await stream.putRecords(some);
    if (failedRecordCount > 0) throw new Error("a put was refused");
  }
}
