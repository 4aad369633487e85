/** Stretches that are encrypted in pieces: of any length, and no piece fits another place. */
import { describe, expect, it } from "vitest";
import { cipherBytes, RecordCipher } from "../../src/log/record-cipher.ts";
import { memoryVault } from "../../src/platform/memory-vault.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";

const PIECE_BYTES = 262_144;
const TAG_BYTES = 16;
const SALT_BYTES = 16;
const ADDITIONAL = Uint8Array.of(1, 2, 3);

async function newCipher(): Promise<RecordCipher> {
  const vault = memoryVault();
  await vault.createKey(1);
  const cipher = new RecordCipher(vault, new SeededRandom(1));
  await cipher.prepare(1);
  return cipher;
}

function placeOf(counter: number) {
  return { dataKeyId: 1, purpose: "wal", counter, additional: ADDITIONAL } as const;
}

async function stored(cipher: RecordCipher, counter: number, plain: Uint8Array) {
  const { salt, sealed } = await cipher.encrypt(placeOf(counter), plain);
  return new Uint8Array(
    await new Blob([salt, ...sealed] as Uint8Array<ArrayBuffer>[]).arrayBuffer(),
  );
}

function plainOf(byteLength: number): Uint8Array {
  return new SeededRandom(byteLength).fill(new Uint8Array(byteLength));
}

describe("a stretch", () => {
  it("of any length decrypts to what it was, and is as long as is said", async () => {
    const cipher = await newCipher();
    for (const byteLength of [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES - 1]) {
      const plain = plainOf(byteLength);
      const counter = cipher.nextCounter(byteLength);
      const bytes = await stored(cipher, counter, plain);
      expect(bytes.byteLength).toBe(byteLength + cipherBytes(byteLength));
      const found = await cipher.decrypt(placeOf(counter), bytes);
      expect(typeof found === "string" ? found : Buffer.compare(found, plain)).toBe(0);
    }
  });

  it("uses no counter twice", async () => {
    const cipher = await newCipher();
    expect(cipher.nextCounter(0)).toBe(1);
    expect(cipher.nextCounter(3 * PIECE_BYTES)).toBe(2);
    expect(cipher.nextCounter(1)).toBe(5);
  });

  it("is damaged when pieces were exchanged or are missing", async () => {
    const cipher = await newCipher();
    const plain = plainOf(3 * PIECE_BYTES);
    const counter = cipher.nextCounter(plain.byteLength);
    const bytes = await stored(cipher, counter, plain);
    const step = PIECE_BYTES + TAG_BYTES;
    const pieces = [0, 1, 2].map((i) =>
      bytes.slice(SALT_BYTES + i * step, SALT_BYTES + (i + 1) * step),
    );
    const salt = bytes.slice(0, SALT_BYTES);
    const join = async (...parts: Uint8Array<ArrayBuffer>[]) =>
      new Uint8Array(await new Blob([salt, ...parts]).arrayBuffer());
    const [first = salt, second = salt, third = salt] = pieces;
    const place = placeOf(counter);
    expect(typeof (await cipher.decrypt(place, await join(first, second, third)))).toBe("object");
    expect(await cipher.decrypt(place, await join(second, first, third))).toBe("damaged");
    expect(await cipher.decrypt(place, await join(first, second))).toBe("damaged");
    expect(await cipher.decrypt(place, await join(first, second, third, third))).toBe("damaged");
    expect(await cipher.decrypt(place, bytes.subarray(0, bytes.byteLength - 1))).toBe("damaged");
    expect(await cipher.decrypt(place, salt)).toBe("damaged");
  });
});
