/** Shard iterators and pagination tokens: what goes in comes out, and nothing else is taken for one. */
import { assert } from "chai";
import fc from "fast-check";
import { InvalidArgumentError } from "../../src/errors/index.ts";
import {
  formatIterator,
  type IteratorPosition,
  parseIterator,
} from "../../src/model/iterator-token.ts";
import { formatPageToken, type PageToken, parsePageToken } from "../../src/model/page-token.ts";

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

const positions: fc.Arbitrary<IteratorPosition> = fc.record({
  streamUid: uint32,
  shardIndex: uint32,
  createdSeconds: fc.integer({ min: 0, max: 2 ** 36 }),
  nextIndex: fc.oneof(fc.maxSafeNat(), fc.constant(2 ** 63)),
  issuedMs: fc.double({ min: -8.64e15, max: 8.64e15, noNaN: true }),
});

const position: IteratorPosition = {
  streamUid: 7,
  shardIndex: 3,
  createdSeconds: 1_700_000_000,
  nextIndex: 12_345,
  issuedMs: 1_700_000_001_234.5,
};

const page: PageToken = {
  operation: "ListShards",
  streamUid: 7,
  position: "shardId-000000000003",
  issuedMs: 1_700_000_001_234,
  filter: '{"Type":"AT_LATEST"}',
};

/** Every text that one wrong, missing or additional character makes of a token. */
function* typosOf(token: string): Generator<string> {
  for (let at = 0; at < token.length; at++) {
    yield token.slice(0, at) + token.slice(at + 1);
    for (const other of `${BASE64}"- `) {
      if (other !== token[at]) yield token.slice(0, at) + other + token.slice(at + 1);
      yield token.slice(0, at) + other + token.slice(at);
    }
  }
}

function refusesIterator(token: string): void {
  assert.throws(() => parseIterator(token), InvalidArgumentError, "Invalid ShardIterator.");
}

describe("shard iterators", () => {
  it("say what they were made of", () => {
    fc.assert(
      fc.property(positions, (made) => {
        assert.deepEqual(parseIterator(formatIterator(made)), made);
      }),
    );
  });

  it("begin with eight bytes that count 1 and have at most 512 characters", () => {
    const token = formatIterator(position);
    const bytes = Buffer.from(token, "base64");
    assert.deepEqual([...bytes.subarray(0, 8)], [0, 0, 0, 0, 0, 0, 0, 1]);
    assert.isAtMost(token.length, 512);
  });

  it("may stand in double quotes", () => {
    assert.deepEqual(parseIterator(`"${formatIterator(position)}"`), position);
  });

  it("are refused after any typo", () => {
    let typos = 0;
    for (const typo of typosOf(formatIterator(position))) {
      refusesIterator(typo);
      typos++;
    }
    assert.isAbove(typos, 9000);
  });

  it("are refused when they are anything else", () => {
    for (const other of ["", '"', '""', "AAAAAAAAAAE=", formatPageToken(page), "\u20ac", "null"]) {
      refusesIterator(other);
    }
    fc.assert(fc.property(fc.string(), refusesIterator));
    fc.assert(fc.property(fc.base64String(), refusesIterator));
  });
});

describe("pagination tokens", () => {
  const refuses = (token: string): void => {
    assert.throws(() => parsePageToken(token, "ListShards"), InvalidArgumentError, "NextToken");
  };

  it("say what they were made of", () => {
    const tokens = fc.record({
      streamUid: uint32,
      position: fc.string({ unit: "binary" }),
      issuedMs: fc.double({ noNaN: true, noDefaultInfinity: true }),
      filter: fc.string(),
    });
    fc.assert(
      fc.property(tokens, (members) => {
        const made: PageToken = { operation: "ListStreams", ...members };
        const read = parsePageToken(formatPageToken(made), "ListStreams");
        // JSON knows no negative zero.
        assert.deepEqual(read, { ...made, issuedMs: made.issuedMs + 0 });
      }),
    );
  });

  it("are refused after any typo, and by other operations", () => {
    const token = formatPageToken(page);
    assert.deepEqual(parsePageToken(token, "ListShards"), page);
    for (const typo of typosOf(token)) refuses(typo);
    assert.throws(() => parsePageToken(token, "ListStreams"), InvalidArgumentError);
  });

  it("are refused when they are anything else", () => {
    for (const other of ["", "AAAA", "AAAAAAAA", formatIterator(position)]) refuses(other);
    fc.assert(fc.property(fc.base64String(), refuses));
  });
});
