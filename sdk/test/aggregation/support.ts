/** Aggregates by hand, for tests of what is and is not one. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import type { AggregateMember } from "../../src/aggregation/format.ts";

const MAGIC = Buffer.from("f3899ac2", "hex");

/** A message as the data of an aggregated record: magic before, MD5 behind. */
export function sealed(message: Uint8Array): Uint8Array {
  const digest = createHash("md5").update(message).digest();
  return Uint8Array.from(Buffer.concat([MAGIC, message, digest]));
}

/** A field of the wire type for bytes, of fewer than 128. */
export function field(number: number, ...parts: (string | Uint8Array | number[])[]): Buffer {
  const value = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  return Buffer.concat([Buffer.from([number * 8 + 2, value.length]), value]);
}

/** A field of the wire type for numbers below 128. */
export function number(field: number, value: number): number[] {
  return [field * 8, value];
}

/** Any member; `tags` as well when they are wanted. */
export function anyMember(tags: boolean): fc.Arbitrary<AggregateMember> {
  const text = fc.string({ unit: "grapheme", maxLength: 20 });
  const tag = fc.oneof(fc.record({ key: text }), fc.record({ key: text, value: text }));
  return fc.record({
    // Not a number alone: see the library's own tables in npm-package.test.ts.
    partitionKey: fc.string({ unit: "grapheme", maxLength: 40 }).map((key) => `k${key}`),
    explicitHashKey: fc.option(
      fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((key) => key.toString()),
      { nil: undefined },
    ),
    data: fc.uint8Array({ maxLength: 300 }),
    tags: tags ? fc.array(tag, { maxLength: 3 }) : fc.constant([]),
  });
}
