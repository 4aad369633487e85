/** Byte for byte against the npm package aws-kinesis-agg, to and fro, on 1,000 random aggregates each. */
import { createRequire } from "node:module";
import fc from "fast-check";
import { decodeAggregate, encodeAggregate } from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import type { AggregateMember } from "../../src/aggregation/format.ts";
import { anyMember } from "./support.ts";

interface TheirRecord {
  readonly partitionKey: string;
  readonly explicitPartitionKey?: string;
  readonly subSequenceNumber?: number;
  readonly data: string;
}

/** As much of the package as is needed here; its own types need others of AWS's packages. */
interface Package {
  readonly RecordAggregator: new () => {
    addUserRecord(record: { partitionKey: string; explicitHashKey?: string; data: Buffer }): void;
    build(): { partitionKey: string; data: Buffer };
  };
  deaggregateSync(
    record: { partitionKey: string; sequenceNumber: string; data: string },
    computeChecksums: boolean,
    done: (error: Error | undefined, records: TheirRecord[]) => void,
  ): void;
}

const theirs: Package = createRequire(import.meta.url)("aws-kinesis-agg");
const RUNS = { numRuns: 1000 };

function theirAggregate(members: readonly AggregateMember[]): Uint8Array {
  const aggregator = new theirs.RecordAggregator();
  for (const { partitionKey, explicitHashKey, data } of members) {
    const hashKey = explicitHashKey === undefined ? {} : { explicitHashKey };
    aggregator.addUserRecord({ partitionKey, ...hashKey, data: Buffer.from(data) });
  }
  return Uint8Array.from(aggregator.build().data);
}

function theirMembers(data: Uint8Array): TheirRecord[] {
  let found: TheirRecord[] | undefined;
  const record = {
    partitionKey: "a",
    sequenceNumber: "1",
    data: Buffer.from(data).toString("base64"),
  };
  theirs.deaggregateSync(record, true, (error, records) => {
    if (error !== undefined && error !== null) throw error;
    found ??= records;
  });
  if (found === undefined) throw new Error("the package did not answer");
  return found;
}

/**
 * The package sorts tables by JavaScript's order of members, so that keys which are small numbers get
 * other indexes than its records say; such explicit hash keys do not occur here, as such partition keys do not.
 */
function members(tags: boolean) {
  const large = (key: string): boolean => key.length > 16;
  const member = anyMember(tags).filter(
    ({ explicitHashKey = "" }) => explicitHashKey === "" || large(explicitHashKey),
  );
  return fc.array(member, { minLength: 1, maxLength: 30 });
}

describe("against aws-kinesis-agg", () => {
  it("ours are its bytes", () => {
    fc.assert(
      fc.property(members(false), (some) => {
        expect(Buffer.compare(encodeAggregate(some), theirAggregate(some))).toBe(0);
      }),
      RUNS,
    );
  });

  it("it reads what we write, tags and all", () => {
    fc.assert(
      fc.property(members(true), (some) => {
        const read = theirMembers(encodeAggregate(some));
        expect(read.map(({ partitionKey, data }) => [partitionKey, data])).toEqual(
          some.map((one) => [one.partitionKey, Buffer.from(one.data).toString("base64")]),
        );
        expect(read.map(({ subSequenceNumber }) => subSequenceNumber)).toEqual(
          some.map((_, i) => i),
        );
        for (const [i, { explicitHashKey }] of some.entries()) {
          // It takes an absent index for 0, and so gives the table's first entry to those that have none.
          if (explicitHashKey === undefined) continue;
          expect(read[i]?.explicitPartitionKey).toBe(explicitHashKey);
        }
      }),
      RUNS,
    );
  });

  it("we read what it writes", () => {
    fc.assert(
      fc.property(members(false), (some) => {
        expect(decodeAggregate(theirAggregate(some))).toEqual(
          some.map(({ explicitHashKey, ...rest }) => ({
            ...rest,
            ...(explicitHashKey === undefined ? {} : { explicitHashKey }),
          })),
        );
      }),
      RUNS,
    );
  });
});
