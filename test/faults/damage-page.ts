/** Writes numbered records and tells which are acknowledged; reads back what is there after the browser's files were damaged. */
import { MillraceError } from "millrace";
import { openInPage } from "./engine-in-page.ts";
import { numberOf, RandomBytes, RECORD_HEADER_BYTES, seal } from "./numbered-record.ts";

const ENGINE = "damage";
const STREAM = "damage";
const MEMORY_BUDGET_BYTES = 33_554_432;
const BATCH_RECORDS = 25;

/** What a page finds after the damage. */
export type DamageReport =
  | {
      readonly opened: true;
      readonly stream: boolean;
      /** Numbers of the whole records, in the order in which they were read. */
      readonly numbers: readonly number[];
      readonly torn: number;
      /** What the engine itself says is lost. */
      readonly losses: readonly string[];
    }
  | { readonly opened: false; readonly name: string; readonly message: string };

/** Writes records from a number on and resolves with the number after the last acknowledged one. */
async function write(first: number, count: number, dataBytes: number): Promise<number> {
  const millrace = await openInPage(ENGINE, MEMORY_BUDGET_BYTES);
  const stream = await millrace.streams.ensure(STREAM, { shards: 1 });
  const random = new RandomBytes();
  let next = first;
  while (next < first + count) {
    const records = Array.from({ length: BATCH_RECORDS }, (_, i) => {
      const data = random.take(RECORD_HEADER_BYTES + dataBytes);
      seal(data, next + i);
      return { partitionKey: "one", data };
    });
    const { failedRecordCount } = await stream.putRecords(records);
    if (failedRecordCount > 0) throw new Error(`${failedRecordCount} records were refused`);
    next += BATCH_RECORDS;
  }
  await millrace.close();
  return next;
}

/** Reads all that is there. A typed error is an answer; any other is none. */
async function readBack(): Promise<DamageReport> {
  try {
    const millrace = await openInPage(ENGINE, MEMORY_BUDGET_BYTES);
    const stream = (await millrace.streams.list()).some(({ name }) => name === STREAM);
    const numbers: number[] = [];
    let torn = 0;
    if (stream) {
      const records = await millrace.streams.get(STREAM);
      for await (const { data } of records.read({ from: "TRIM_HORIZON", until: "end" })) {
        const number = numberOf(data);
        if (number === undefined) torn += 1;
        else numbers.push(number);
      }
    }
    const losses = (await millrace.dataLoss()).map(({ where, reason }) => `${where}: ${reason}`);
    await millrace.close();
    return { opened: true, stream, numbers, torn, losses };
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return { opened: false, name: error.name, message: error.message };
  }
}

Object.assign(globalThis, { faultPage: { write, readBack } });
