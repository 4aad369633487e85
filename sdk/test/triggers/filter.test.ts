/** Lambda's filter criteria: what each comparison takes, and where a pattern is refused. */
import { InvalidArgumentError, type UserRecord } from "millrace";
import { describe, expect, it } from "vitest";
import { compileFilter } from "../../src/triggers/filter-criteria.ts";

const ENCODER = new TextEncoder();

function recordOf(data: unknown, partitionKey = "key-1"): UserRecord {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return {
    ...{ partitionKey, explicitHashKey: undefined, shardId: "shardId-000000000000" },
    ...{ sequenceNumber: "49", subSequenceNumber: 0, arrivalMs: 1_700_000_000_500 },
    data: data instanceof Uint8Array ? new Uint8Array(data) : ENCODER.encode(text),
    // Filters look at what the application put.
    stored: undefined as never,
  };
}

/** Whether one pattern takes a record. */
function takes(pattern: unknown, record: UserRecord): boolean {
  const filter = { Filters: [{ Pattern: JSON.stringify(pattern) }] };
  return compileFilter("options.filter", filter)(record);
}

/** Patterns for the member `a` of the data, values that they take, and values that they do not. */
const COMPARISONS: readonly [string, unknown, readonly unknown[], readonly unknown[]][] = [
  ["a text", ["x", "y"], ["x", "y", ["z", "x"]], ["z", "X", 1, null, ["z"], { x: "x" }]],
  ["a number", [5], [5, 5.0, [4, 5]], ["5", 4, true]],
  ["true, and null", [true, null], [true, null], [false, "true", 0, ""]],
  ["an empty text", [""], [""], ["x", null]],
  ["prefix", [{ prefix: "ab" }], ["ab", "abc"], ["a", "xab", "AB", 1]],
  ["prefix in any case", [{ prefix: { "equals-ignore-case": "ab" } }], ["ABc", "aB"], ["b"]],
  ["suffix", [{ suffix: ".png" }], ["a.png"], ["a.PNG", "a.png2", 1]],
  ["suffix in any case", [{ suffix: { "equals-ignore-case": ".png" } }], ["a.PNG"], ["a.pn"]],
  ["equals-ignore-case", [{ "equals-ignore-case": "aBc" }], ["ABC", "abc"], ["abcd", 1]],
  ["anything-but a text", [{ "anything-but": "x" }], ["y", 1, null], ["x"]],
  ["anything-but a list", [{ "anything-but": [1, 2] }], [3, "1"], [1, 2]],
  ["anything-but a prefix", [{ "anything-but": { prefix: "ab" } }], ["b"], ["ab", "abc"]],
  ["anything-but suffixes", [{ "anything-but": { suffix: ["x", "y"] } }], ["z"], ["ax", "ay"]],
  ["anything-but in any case", [{ "anything-but": { "equals-ignore-case": "x" } }], ["y"], ["X"]],
  ["anything-but a wildcard", [{ "anything-but": { wildcard: "*/x/*" } }], ["/y/"], ["a/x/b"]],
  ["a number's equal", [{ numeric: ["=", 1.5] }], [1.5], [1, "1.5"]],
  ["a number's bound", [{ numeric: ["<", 10] }], [9.9, -1], [10, 11, "9"]],
  ["a number's range", [{ numeric: [">", 0, "<=", 5] }], [0.1, 5], [0, 5.1, null]],
  ["exists", [{ exists: true }], ["x", null, 0, [1]], [{ b: 1 }, []]],
  ["exists not", [{ exists: false }], [{ b: 1 }, []], ["x", null]],
  ["cidr", [{ cidr: "10.0.0.0/8" }], ["10.1.2.3", "10.255.255.255"], ["11.0.0.0", "10.0.0", 10]],
  ["cidr of IPv6", [{ cidr: "2001:db8::/32" }], ["2001:db8:1::5"], ["2001:db9::", "10.0.0.1"]],
  ["wildcard", [{ wildcard: "a*c\\*d" }], ["ac*d", "abbc*d"], ["abcd", "ac*de"]],
  ["wildcard of special characters", [{ wildcard: "a.b(*)" }], ["a.b(x)"], ["axb(x)", "a.b(x"]],
  ["wildcard with a hyphen", [{ wildcard: "eu-*" }], ["eu-", "eu-west-1"], ["eu", "us-east-1"]],
  ["one of several", [{ prefix: "a" }, { numeric: [">", 5] }, 1], ["abc", 6, 1], ["b", 5]],
];

describe("a pattern", () => {
  for (const [name, rules, taken, left] of COMPARISONS) {
    it(`compares by ${name}`, () => {
      const pattern = { data: { a: rules } };
      for (const a of taken) {
        expect(takes(pattern, recordOf({ a })), JSON.stringify(a)).toBe(true);
      }
      for (const a of left) {
        expect(takes(pattern, recordOf({ a })), JSON.stringify(a)).toBe(false);
      }
    });
  }

  it("takes a field that is not there only where that is asked for", () => {
    const nothing = recordOf({ b: 1 });
    expect(takes({ data: { a: [{ exists: false }] } }, nothing)).toBe(true);
    for (const rule of [{ exists: true }, { "anything-but": "x" }, null, { prefix: "a" }]) {
      expect(takes({ data: { a: [rule] } }, nothing)).toBe(false);
    }
    expect(takes({ data: { a: { b: { c: [{ exists: false }] } } } }, nothing)).toBe(true);
  });

  it("asks all fields, nested ones, and of a list one element as a whole", () => {
    const pattern = { data: { user: { name: ["ann"], age: [{ numeric: [">", 30] }] } } };
    expect(takes(pattern, recordOf({ user: { name: "ann", age: 31, more: [] } }))).toBe(true);
    expect(takes(pattern, recordOf({ user: { name: "ann", age: 30 } }))).toBe(false);
    expect(takes(pattern, recordOf({ user: { age: 31 } }))).toBe(false);
    const [ann, bob] = [
      { name: "ann", age: 10 },
      { name: "bob", age: 40 },
    ];
    expect(takes(pattern, recordOf({ user: [ann, bob] }))).toBe(false);
    expect(takes(pattern, recordOf({ user: [bob, { ...ann, age: 40 }] }))).toBe(true);
  });

  it("knows alternatives of several fields", () => {
    const either = {
      $or: [{ data: { a: [1] } }, { partitionKey: ["key-2"] }],
      sequenceNumber: ["49"],
    };
    expect(takes(either, recordOf({ a: 1 }))).toBe(true);
    expect(takes(either, recordOf({ a: 2 }, "key-2"))).toBe(true);
    expect(takes(either, recordOf("no JSON", "key-2"))).toBe(true);
    expect(takes(either, recordOf({ a: 2 }))).toBe(false);
    const inner = { data: { $or: [{ a: [1] }, { b: [2] }] } };
    expect(takes(inner, recordOf({ b: 2 }))).toBe(true);
    expect(takes(inner, recordOf({ a: 2 }))).toBe(false);
  });

  it("sees the record's own members", () => {
    const record = recordOf({});
    expect(takes({ partitionKey: [{ prefix: "key-" }] }, record)).toBe(true);
    expect(takes({ kinesisSchemaVersion: ["1.0"], sequenceNumber: ["49"] }, record)).toBe(true);
    const stamp = { approximateArrivalTimestamp: [{ numeric: ["=", 1_700_000_000.5] }] };
    expect(takes(stamp, record)).toBe(true);
    expect(takes({ constructor: [{ exists: true }] }, record)).toBe(false);
  });

  it("tells data that are JSON from text, as Lambda does", () => {
    const forText = { data: ["hello"] };
    const forJson = { data: { a: [{ exists: false }] } };
    expect(takes(forText, recordOf("hello"))).toBe(true);
    expect(takes(forText, recordOf({ hello: "hello" }))).toBe(false);
    expect(takes(forJson, recordOf("hello"))).toBe(false);
    expect(takes(forJson, recordOf("{broken"))).toBe(false);
    expect(takes(forJson, recordOf({ b: 1 }))).toBe(true);
    const binary = recordOf(Uint8Array.of(0xff, 0xfe));
    expect(takes(forText, binary)).toBe(false);
    expect(takes({ partitionKey: ["key-1"] }, binary)).toBe(true);
  });

  it("is one of several, of which one is enough; none take everything", () => {
    const filters = ["a", "b"].map((key) => ({
      Pattern: JSON.stringify({ partitionKey: [key] }),
    }));
    const filter = compileFilter("f", { Filters: filters });
    expect(["a", "b", "c"].map((key) => filter(recordOf({}, key)))).toEqual([true, true, false]);
    expect(compileFilter("f", { Filters: [] })(recordOf({}))).toBe(true);
  });
});

/** Patterns that do not parse, and the place that the error names. */
const REFUSED: readonly [unknown, string][] = [
  ["{", ""],
  [5, ""],
  ["[1]", ""],
  ["{}", ""],
  [`{"a":"${"x".repeat(5000)}"}`, ""],
  ['{"data": "x"}', ".data"],
  ['{"data": {}}', ".data"],
  ['{"data": {"a": []}}', ".data.a"],
  ['{"data": {"a": [{}]}}', ".data.a[0]"],
  ['{"data": {"a": [1, {"prefix": "x", "suffix": "y"}]}}', ".data.a[1]"],
  ['{"data": {"a": [[1]]}}', ".data.a[0]"],
  ['{"data": {"a": [{"begins": "x"}]}}', ".data.a[0]"],
  ['{"data": {"a": [{"toString": "x"}]}}', ".data.a[0]"],
  ['{"data": {"a": [{"prefix": 5}]}}', ".data.a[0].prefix.equals-ignore-case"],
  ['{"data": {"a": [{"prefix": ""}]}}', ".data.a[0].prefix"],
  ['{"data": {"a": [{"numeric": [">"]}]}}', ".data.a[0].numeric"],
  ['{"data": {"a": [{"numeric": ["~", 5]}]}}', ".data.a[0].numeric[0]"],
  ['{"data": {"a": [{"numeric": [">", "5"]}]}}', ".data.a[0].numeric[1]"],
  ['{"data": {"a": [{"numeric": ["<", 5, ">", 1]}]}}', ".data.a[0].numeric"],
  ['{"data": {"a": [{"numeric": [">", 5, "<", 5]}]}}', ".data.a[0].numeric"],
  ['{"data": {"a": [{"exists": "yes"}]}}', ".data.a[0].exists"],
  ['{"data": {"a": [{"cidr": "10.0.0.0/33"}]}}', ".data.a[0].cidr"],
  ['{"data": {"a": [{"cidr": "10.0.0/8"}]}}', ".data.a[0].cidr"],
  ['{"data": {"a": [{"wildcard": "a**"}]}}', ".data.a[0].wildcard"],
  ['{"data": {"a": [{"wildcard": "a\\\\b"}]}}', ".data.a[0].wildcard"],
  ['{"data": {"a": [{"anything-but": []}]}}', ".data.a[0].anything-but"],
  ['{"data": {"a": [{"anything-but": {"cidr": "10.0.0.0/8"}}]}}', ".data.a[0].anything-but"],
  ['{"data": {"a": [{"anything-but": {"prefix": [""]}}]}}', ".data.a[0].anything-but.prefix"],
  ['{"$or": [{"data": {"a": [1]}}]}', ".$or"],
  ['{"$or": [{"data": {"a": [1]}}, {"data": {"a": 1}}]}', ".$or[1].data.a"],
];

describe("a filter that does not parse", () => {
  for (const [pattern, place] of REFUSED) {
    it(`is refused at Pattern${place}: ${String(pattern).slice(0, 60)}`, () => {
      const filter = { Filters: [{ Pattern: pattern as string }] };
      let refused: unknown;
      try {
        compileFilter("options.filter", filter);
      } catch (error) {
        refused = error;
      }
      expect(refused).toBeInstanceOf(InvalidArgumentError);
      expect(refused).toMatchObject({ argument: `options.filter.Filters[0].Pattern${place}` });
    });
  }

  it("is refused for its own members", () => {
    const refusalOf = (filter: unknown) => {
      try {
        return compileFilter("f", filter as never);
      } catch (error) {
        return error;
      }
    };
    expect(refusalOf({})).toMatchObject({ argument: "f.Filters" });
    expect(refusalOf(null)).toMatchObject({ argument: "f" });
    expect(refusalOf({ Filters: [{}] })).toMatchObject({ argument: "f.Filters[0].Pattern" });
    expect(refusalOf({ Filters: [{ pattern: "{}" }] })).toMatchObject({
      argument: "f.Filters[0].pattern",
    });
    const many = Array.from({ length: 11 }, () => ({ Pattern: '{"partitionKey": ["a"]}' }));
    expect(refusalOf({ Filters: many })).toMatchObject({ argument: "f.Filters" });
  });
});
