/** Places in the address of the page. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Address,
  addressOf,
  DATA_FORMS,
  POSITION_TYPES,
  recordsOf,
  searchOfAddress,
  titleOf,
} from "../src/places/address.ts";

const stream = fc.stringMatching(/^[a-zA-Z0-9_.-]{1,128}$/);
const shardIndex = fc.option(fc.integer({ min: 0, max: 999_999 }), { nil: undefined });
const digits = fc.bigInt({ min: 0n, max: 1n << 186n }).map(String);

const records = fc
  .record({
    stream,
    shardIndex,
    from: fc.constantFrom(...POSITION_TYPES),
    atMs: fc.integer({ min: 0, max: 4e12 }),
    sequence: digits,
    filter: fc.string({ maxLength: 200 }),
    form: fc.constantFrom(...DATA_FORMS),
    record: fc.option(digits, { nil: undefined }),
  })
  .map(({ atMs, sequence, record, ...rest }) => ({
    ...recordsOf(rest.stream),
    ...rest,
    atMs: rest.from === "AT_TIMESTAMP" ? atMs : undefined,
    sequence: rest.from.endsWith("SEQUENCE_NUMBER") ? sequence : undefined,
    record: rest.from === "AT_SEQUENCE_NUMBER" ? (record ?? sequence) : record,
  }));

const text = fc.option(fc.string({ maxLength: 200 }), { nil: undefined });
const producer = fc
  .record({
    stream: fc.option(stream, { nil: undefined }),
    ratePerSecond: fc.option(fc.integer({ min: 0, max: 99_999 }), { nil: undefined }),
    aggregation: fc.boolean(),
    keyTemplate: text,
    dataTemplate: text,
  })
  .map((settings): Address => ({ place: "producer", ...settings }));

const address: fc.Arbitrary<Address> = fc.oneof(
  fc.constant<Address>({ place: "live" }),
  fc.constant<Address>({ place: "storage" }),
  fc.constant<Address>({ place: "faults" }),
  fc.constant<Address>({ place: "pipelines" }),
  fc.constant<Address>({ place: "sync" }),
  fc.constant<Address>({ place: "streams", view: "list" }),
  fc.option(stream, { nil: undefined }).map((group): Address => ({ place: "consumers", group })),
  producer,
  fc
    .record({ stream, shardIndex })
    .map((one): Address => ({ place: "streams", view: "shards", ...one })),
  records,
);

describe("a place in the address", () => {
  it("comes back as it was written", () => {
    fc.assert(
      fc.property(address, (written) => {
        expect(addressOf(searchOfAddress(written))).toEqual(written);
      }),
    );
  });

  it("is never refused, whatever the address says", () => {
    const query = fc.dictionary(
      fc.constantFrom(
        ...["place", "stream", "tab", "shard", "from", "at", "sequence", "form"],
        ...["group", "persecond", "aggregation", "key", "data"],
      ),
      fc.oneof(
        fc.string(),
        fc.constantFrom("streams", "consumers", "producer", "records", "AT_TIMESTAMP", "a", "0"),
      ),
    );
    fc.assert(
      fc.property(query, (words) => {
        const found = addressOf(`?${new URLSearchParams(words)}`);
        expect(addressOf(searchOfAddress(found))).toEqual(found);
      }),
    );
  });

  it.each([
    ["?place=nowhere", { place: "live" }],
    ["?place=streams&stream=a%20b", { place: "streams", view: "list" }],
    [
      "?place=streams&stream=clicks&tab=nothing&shard=x",
      { place: "streams", view: "shards", stream: "clicks", shardIndex: undefined },
    ],
    ["?place=streams&stream=clicks&tab=records&from=SOON", recordsOf("clicks")],
    ["?place=streams&stream=clicks&tab=records&from=AT_SEQUENCE_NUMBER", recordsOf("clicks")],
    ["?place=streams&stream=clicks&tab=records&from=AT_TIMESTAMP&at=now", recordsOf("clicks")],
  ])("falls back where %s is not known", (search, expected) => {
    expect(addressOf(search)).toEqual(expected);
  });

  it("selects the record that a link at a sequence number names", () => {
    const link = "?place=streams&stream=s&tab=records&shard=3&from=AT_SEQUENCE_NUMBER&sequence=42";
    expect(addressOf(link)).toMatchObject({ shardIndex: 3, sequence: "42", record: "42" });
    expect(searchOfAddress(addressOf(link))).toBe(link);
  });

  it("names the document", () => {
    expect(titleOf(addressOf("?place=streams&stream=clicks&tab=records"))).toBe(
      "Records of clicks · Millrace",
    );
    expect(titleOf(addressOf(""))).toBe("Live · Millrace");
  });
});
