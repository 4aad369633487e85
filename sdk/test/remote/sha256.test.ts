/** SHA-256 and HMAC against Node's own. */
import { createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Sha256, sha256 } from "../../src/remote/sha256.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("Sha256", () => {
  it("hashes messages of every length around its blocks", () => {
    for (let length = 0; length < 200; length++) {
      const message = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
      expect(hex(sha256(message))).toBe(createHash("sha256").update(message).digest("hex"));
    }
  });

  it("is an HMAC with a secret, of whatever length and kind", async () => {
    for (const length of [0, 1, 32, 63, 64, 65, 200]) {
      const secret = Uint8Array.from({ length }, (_, i) => i & 255);
      const hash = new Sha256(secret);
      hash.update("grüße");
      hash.update(new Uint8Array([1, 2, 3]).buffer);
      hash.update(new DataView(new Uint8Array([9, 4, 5, 9]).buffer, 1, 2));
      const expected = createHmac("sha256", secret).update("grüße");
      expected.update(new Uint8Array([1, 2, 3, 4, 5]));
      expect(hex(await hash.digest())).toBe(expected.digest("hex"));
      hash.reset();
      expect(hex(await hash.digest())).toBe(createHmac("sha256", secret).digest("hex"));
    }
  });
});
