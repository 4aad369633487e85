/** Copies of data: whatever they are, and whatever becomes of the original. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { CopySpace } from "../../src/producer/copy-space.ts";

it("copies are what was copied, one beside the other", () => {
  const data = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ minLength: 8000, maxLength: 9000 }),
    fc.string({ unit: "grapheme", maxLength: 100 }),
    fc.string({ unit: "grapheme", minLength: 2500, maxLength: 3000 }),
  );
  fc.assert(
    fc.property(fc.array(data, { maxLength: 60 }), (all) => {
      const space = new CopySpace();
      const expected = all.map((one) => Buffer.from(one as string).toString("hex"));
      const copies = all.map((one) => space.copy(one));
      for (const one of all) if (typeof one !== "string") one.fill(0);
      expect(copies.map((copy) => Buffer.from(copy).toString("hex"))).toEqual(expected);
    }),
  );
});

it("bytes of Node's Buffer are copied, too", () => {
  const large = Buffer.alloc(10_000, 1);
  const copy = new CopySpace().copy(large);
  large.fill(2);
  expect(copy[0]).toBe(1);
});
