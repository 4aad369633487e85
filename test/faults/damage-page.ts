/** Writes numbered records and tells which are acknowledged; reads back what is there after the browser's files were damaged. */
import { MillraceError } from "millrace";
import { openInPage } from "./engine-in-page.ts";
import { numberOf, RandomBytes, RECORD_HEADER_BYTES, seal } from "./numbered-record.ts";
import { type KnownKeys, type RawInventory, readInventory } from "./raw-store.ts";

const ENGINE = "damage";
const STREAM = "damage";
const MEMORY_BUDGET_BYTES = 33_554_432;
const BATCH_RECORDS = 25;
/** More than the time in ms that the witness may lag behind a commit. */
const WITNESS_WAIT_MS = 1500;

/** What was acknowledged. */
export interface WriteReport {
  /** Number after the last acknowledged record. */
  readonly next: number;
  /** Lowest and highest sequence number, in decimal. */
  readonly lowest: string;
  readonly highest: string;
}

/** What the engine says of its losses: the place, and why. */
export interface ReportedLoss {
  readonly kind: string;
  readonly where: string;
  readonly reason: string;
}

/** What a page finds after the damage. */
export type DamageReport =
  | {
      readonly opened: true;
      readonly stream: boolean;
      /** Numbers of the whole records, in the order in which they were read. */
      readonly numbers: readonly number[];
      readonly torn: number;
      /** What the engine itself says is lost. */
      readonly losses: readonly ReportedLoss[];
      /** What verifying the whole store finds. */
      readonly checked: readonly ReportedLoss[];
    }
  | { readonly opened: false; readonly name: string; readonly message: string };

function smaller(left: bigint | undefined, right: bigint): bigint {
  return left === undefined || right < left ? right : left;
}

function larger(left: bigint | undefined, right: bigint): bigint {
  return left === undefined || right > left ? right : left;
}

/**
 * Writes records from a number on. Unless `leave` says how the engine is left open, until its witness has
 * been written, it is closed.
 */
async function write(
  first: number,
  count: number,
  dataBytes: number,
  leave: boolean,
): Promise<WriteReport> {
  const millrace = await openInPage(ENGINE, MEMORY_BUDGET_BYTES);
  const stream = await millrace.streams.ensure(STREAM, { shards: 1 });
  const random = new RandomBytes();
  let lowest: bigint | undefined;
  let highest: bigint | undefined;
  let next = first;
  while (next < first + count) {
    const records = Array.from({ length: BATCH_RECORDS }, (_, i) => {
      const data = random.take(RECORD_HEADER_BYTES + dataBytes);
      seal(data, next + i);
      return { partitionKey: "one", data };
    });
    for (const outcome of await stream.putRecords(records)) {
      if (!("sequenceNumber" in outcome)) throw new Error("a record was refused");
      const sequenceNumber = BigInt(outcome.sequenceNumber);
      lowest = smaller(lowest, sequenceNumber);
      highest = larger(highest, sequenceNumber);
    }
    next += BATCH_RECORDS;
  }
  if (leave) await new Promise((resolve) => setTimeout(resolve, WITNESS_WAIT_MS));
  else await millrace.close();
  return { next, lowest: String(lowest ?? 0n), highest: String(highest ?? 0n) };
}

/** Reads all that is there, and has the store verified. A typed error is an answer; any other is none. */
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
    const checked = (await millrace.check()).damage.map(short);
    const losses = (await millrace.dataLoss()).map(short);
    await millrace.close();
    return { opened: true, stream, numbers, torn, losses, checked };
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return { opened: false, name: error.name, message: error.message };
  }
}

function short({ kind, where, reason }: ReportedLoss): ReportedLoss {
  return { kind, where, reason };
}

/** What IndexedDB holds, read without the engine. */
function inventory(known: KnownKeys): Promise<RawInventory> {
  return readInventory(ENGINE, known);
}

Object.assign(globalThis, { faultPage: { write, readBack, inventory } });
