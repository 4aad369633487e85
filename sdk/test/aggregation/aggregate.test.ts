/** Aggregated records to and fro, and everything that looks like one and is none. */
import fc from "fast-check";
import { InvalidArgumentError } from "millrace";
import {
  type AggregateMember,
  deaggregate,
  decodeAggregate,
  encodeAggregate,
  explodesInto,
  memberFallsInto,
} from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import { AggregateBuilder } from "../../src/aggregation/aggregate-builder.ts";
import { anyMember, field, number, sealed } from "./support.ts";

const READ = {
  partitionKey: "a",
  sequenceNumber: "49",
  shardId: "shardId-000000000000",
  arrivalMs: 5,
};
const RING = { startingHashKey: "0", endingHashKey: ((1n << 128n) - 1n).toString() };
const LOWER = { startingHashKey: "0", endingHashKey: ((1n << 127n) - 1n).toString() };

/** A whole message with one record, which these bytes make. */
function withRecord(...parts: (string | Uint8Array | number[])[]): Uint8Array {
  return sealed(Buffer.concat([field(1, "key"), field(2, "77"), field(3, ...parts)]));
}

describe("an aggregated record", () => {
  it("gives back what was put in, and is exactly as long as was said beforehand", () => {
    fc.assert(
      fc.property(fc.array(anyMember(true), { minLength: 1, maxLength: 40 }), (members) => {
        const builder = new AggregateBuilder();
        for (const member of members) expect(builder.add(member)).toBe(true);
        const data = builder.finish();
        expect(data.byteLength).toBe(builder.byteLength);
        expect(encodeAggregate(members)).toEqual(data);
        expect(decodeAggregate(data)).toEqual(
          members.map(({ explicitHashKey, ...rest }) => ({
            ...rest,
            ...(explicitHashKey === undefined ? {} : { explicitHashKey }),
          })),
        );
      }),
    );
  });

  it("takes no member that would make it too long, and goes on as it was", () => {
    fc.assert(
      fc.property(
        fc.array(anyMember(true), { minLength: 1, maxLength: 40 }),
        fc.nat(2000),
        (members, bytesMax) => {
          const builder = new AggregateBuilder();
          const taken: AggregateMember[] = [];
          for (const member of members) {
            const longer = taken.length + 1;
            const fits = encodeAggregate([...taken, member]).byteLength <= bytesMax;
            expect(builder.add(member, bytesMax)).toBe(fits);
            if (fits) taken.push(member);
            expect(builder.count).toBe(fits ? longer : longer - 1);
          }
          if (taken.length > 0) expect(builder.finish()).toEqual(encodeAggregate(taken));
        },
      ),
    );
  });

  it("has every text once in its tables", () => {
    const data = new Uint8Array(0);
    const one = { partitionKey: "same", explicitHashKey: "12345", data };
    const many = encodeAggregate([one, one, one]);
    expect(Buffer.from(many).toString("latin1").split("same")).toHaveLength(2);
    expect(Buffer.from(many).toString("latin1").split("12345")).toHaveLength(2);
  });

  it("is read with indexes of more than one byte, and from the middle of a buffer", () => {
    const members = Array.from({ length: 20_000 }, (_, i) => ({
      partitionKey: `k${i}`,
      explicitHashKey: String(i * 3),
      data: Uint8Array.of(i),
      tags: [],
    }));
    const data = encodeAggregate(members);
    const buffer = new Uint8Array(data.byteLength + 100);
    buffer.set(data, 51);
    expect(decodeAggregate(buffer.subarray(51, 51 + data.byteLength))).toEqual(members);
  });

  it("refuses malformed members by their names", () => {
    const data = new Uint8Array(1);
    const bad: [AggregateMember, string][] = [
      [{ partitionKey: "\ud800", data }, "members[1].partitionKey"],
      [{ partitionKey: "k", explicitHashKey: "x", data }, "members[1].explicitHashKey"],
      [{ partitionKey: "k", data: "text" as never }, "members[1].data"],
      [{ partitionKey: "k", data, tags: [{ key: "\udc00" }] }, "members[1].tags[0].key"],
    ];
    for (const [member, argument] of bad) {
      const call = () => encodeAggregate([{ partitionKey: "good", data }, member]);
      expect(call).toThrow(InvalidArgumentError);
      expect(call).toThrow(expect.objectContaining({ argument }));
    }
    expect(() => encodeAggregate([])).toThrow(InvalidArgumentError);
  });
});

describe("fields that are not known", () => {
  it("are passed over, of every wire type and in every message", () => {
    const unknown = [
      Buffer.from(number(9, 5)),
      Buffer.from([10 * 8 + 1, 1, 2, 3, 4, 5, 6, 7, 8]),
      field(11, "anything"),
      Buffer.from([12 * 8 + 5, 1, 2, 3, 4]),
      // A group with a group in it.
      Buffer.from([13 * 8 + 3, 14 * 8 + 3, ...number(1, 1), 14 * 8 + 4, 13 * 8 + 4]),
    ];
    for (const extra of unknown) {
      const tag = field(4, field(1, "name"), extra);
      const record = field(3, number(1, 0), extra, field(3, "data"), tag);
      const message = Buffer.concat([extra, field(1, "key"), extra, record, extra]);
      expect(decodeAggregate(sealed(message))).toEqual([
        {
          partitionKey: "key",
          data: Uint8Array.from(Buffer.from("data")),
          tags: [{ key: "name" }],
        },
      ]);
    }
  });

  it("are those of a known number and another wire type, too", () => {
    const record = field(3, number(1, 0), number(3, 7), field(3, "data"));
    const message = Buffer.concat(
      [number(1, 3), field(1, "key"), record].map((part) => Buffer.from(part)),
    );
    expect(decodeAggregate(sealed(message))).toHaveLength(1);
  });
});

describe("what is passed on as a plain record", () => {
  const good = encodeAggregate([
    { partitionKey: "a", data: Uint8Array.of(1, 2, 3), tags: [{ key: "t", value: "v" }] },
    { partitionKey: "b", explicitHashKey: "5", data: Uint8Array.of(4) },
  ]);

  function expectPlain(data: Uint8Array): void {
    expect(decodeAggregate(data)).toBeUndefined();
    const [record, ...others] = deaggregate({ ...READ, data });
    expect(others).toEqual([]);
    expect(record).toMatchObject({ ...READ, data, aggregated: false, subSequenceNumber: 0 });
    if (record !== undefined) expect(explodesInto([record], LOWER)).toBe(true);
  }

  it("is an aggregate of which any bit is another one", () => {
    for (let at = 0; at < good.byteLength; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const broken = good.slice();
        broken[at] = (broken[at] ?? 0) ^ (1 << bit);
        expectPlain(broken);
      }
    }
  });

  it("is one that was cut off anywhere, and a message that was cut off before it was hashed", () => {
    for (let length = 0; length < good.byteLength; length++) expectPlain(good.slice(0, length));
    const message = good.subarray(4, good.byteLength - 16);
    // Cut between two records, it is whole as far as anybody can tell.
    const whole = new Set([message.byteLength, message.byteLength - 9]);
    for (let length = 0; length < message.byteLength; length++) {
      const data = sealed(message.slice(0, length));
      if (whole.has(length)) expect(decodeAggregate(data)).toHaveLength(1);
      else expectPlain(data);
    }
  });

  it.each([
    ["nothing behind the magic", Uint8Array.from(Buffer.from("f3899ac2", "hex"))],
    ["an empty message", sealed(new Uint8Array(0))],
    ["tables and no record", sealed(Buffer.concat([field(1, "key"), field(2, "77")]))],
    ["a record and empty tables", sealed(field(3, number(1, 0), field(3, "data")))],
    ["a partition key index outside of its table", withRecord(number(1, 1), field(3, "data"))],
    [
      "an explicit hash key index outside of its table",
      withRecord(number(1, 0), number(2, 1), field(3, "data")),
    ],
    ["an index of ten bytes", withRecord([8, ...Array(9).fill(255), 1], field(3, "data"))],
    ["a record without a partition key", withRecord(field(3, "data"))],
    ["a record without data", withRecord(number(1, 0))],
    ["a tag without a key", withRecord(number(1, 0), field(3, "d"), field(4, field(2, "v")))],
    [
      "an explicit hash key that is none",
      sealed(
        Buffer.concat([
          field(1, "key"),
          field(2, "no number"),
          field(3, number(1, 0), number(2, 0), field(3, "data")),
        ]),
      ),
    ],
    ["a field of number 0", sealed(Buffer.concat([Buffer.from([0, 0]), field(1, "key")]))],
    ["an unknown wire type", sealed(Buffer.from([15, 0]))],
    ["a number without an end", sealed(Buffer.from(Array(12).fill(255)))],
    ["a group that is not ended", sealed(Buffer.from([9 * 8 + 3, 8, 1]))],
    ["a group that another one ends", sealed(Buffer.from([9 * 8 + 3, 10 * 8 + 4]))],
    ["an end of no group", sealed(Buffer.from([9 * 8 + 4]))],
    ["groups without number", sealed(new Uint8Array(100_000).fill(9 * 8 + 3))],
    ["text", Uint8Array.from(Buffer.from("just a line"))],
    ["nothing", new Uint8Array(0)],
  ])("is %s", (_name, data) => expectPlain(data));

  it("is whatever random bytes with a right magic and MD5 do not make", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (message) => {
        const data = sealed(message);
        const members = decodeAggregate(data);
        if (members === undefined) expectPlain(data);
        else expect(members.length).toBeGreaterThan(0);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("user records", () => {
  const members: AggregateMember[] = [
    { partitionKey: "a", data: Uint8Array.from(Buffer.from('{"n":1}')), tags: [{ key: "t" }] },
    { partitionKey: "b", explicitHashKey: "5", data: Uint8Array.of(4) },
  ];
  const data = encodeAggregate(members);

  it("bear the record's sequence number and their own position", () => {
    const records = deaggregate({ ...READ, data });
    expect(records).toMatchObject([
      { ...READ, partitionKey: "a", subSequenceNumber: 0, aggregated: true, tags: [{ key: "t" }] },
      { ...READ, partitionKey: "b", subSequenceNumber: 1, explicitHashKey: "5", tags: [] },
    ]);
    expect(records[0]?.json()).toEqual({ n: 1 });
    expect(records[0]?.text()).toBe('{"n":1}');
    expect(records[1]?.bytes()).toEqual(Uint8Array.of(4));
  });

  it("explode into a shard only if all of them are the shard's", () => {
    // "a" hashes to 0x0cc1…, "b" to 0x92eb…: the halves of the ring.
    const upper = { ...RING, startingHashKey: (1n << 127n).toString() };
    const plainB = { partitionKey: "b", data: Uint8Array.of(1) };
    const explode = (which: AggregateMember[], shard: typeof RING) =>
      explodesInto(deaggregate({ ...READ, data: encodeAggregate(which) }), shard);
    expect(explode(members, RING)).toBe(true);
    expect(explode(members, LOWER)).toBe(true);
    expect(explode(members, upper)).toBe(false);
    expect(explode([...members, plainB], LOWER)).toBe(false);
    expect(explode([plainB], upper)).toBe(true);
    const hash = { partitionKey: "b", explicitHashKey: LOWER.endingHashKey };
    expect([memberFallsInto(hash, LOWER), memberFallsInto(hash, upper)]).toEqual([true, false]);
  });

  it("are not judged by what is no hash key", () => {
    const shard = { startingHashKey: "0", endingHashKey: "f" };
    expect(() => explodesInto([], shard)).toThrow(
      expect.objectContaining({ argument: "shard.endingHashKey", value: '"f"' }),
    );
  });
});
