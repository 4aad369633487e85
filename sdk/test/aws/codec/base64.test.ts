/** All three base64 codecs against Node's, and against what AWS refuses. */
import { assert } from "chai";
import {
  type Base64,
  base64,
  bufferBase64,
  nativeBase64,
  tableBase64,
} from "../../../src/aws/codec/base64.ts";

const bytesOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => Math.imul(i + length, 2654435761) >>> 24);

const codecs: [string, Base64][] = [
  ["the table", tableBase64],
  ["Buffer", bufferBase64(Buffer)],
  ["this platform", base64],
];

type Native = Parameters<typeof nativeBase64>[0];

function isNative(value: object): value is Native {
  return "fromBase64" in value;
}
// Node has the native codec from version 25 on.
if (isNative(Uint8Array)) codecs.push(["the native codec", nativeBase64(Uint8Array)]);

for (const [name, codec] of codecs) {
  describe(`base64 by ${name}`, () => {
    it("encodes and decodes what Node does, of every length", () => {
      for (let length = 0; length < 300; length++) {
        const bytes = bytesOf(length);
        const text = Buffer.from(bytes).toString("base64");
        assert.equal(codec.encode(bytes), text);
        const decoded = codec.decode(text);
        assert.deepEqual(decoded === undefined ? undefined : [...decoded], [...bytes], text);
      }
    });

    it("encodes a part of a buffer", () => {
      assert.equal(
        codec.encode(bytesOf(100).subarray(3, 7)),
        codec.encode(bytesOf(100).slice(3, 7)),
      );
    });

    it("refuses what no bytes are encoded to", () => {
      const refused = [
        "A",
        "AA",
        "AAA",
        "=",
        "====",
        "A===",
        "AA=A",
        "AAAA====",
        "AA==AAAA",
        "AAAAA===",
      ];
      const urls = ["AA-A", "AA_A", "AAAA--==", "__8="];
      const spaces = [" AAA", "AAA ", "AA\nA", "AAAA    ", "AAAA\n\n\n\n", "A A=", "QQ= ="];
      const strayBits = ["AB==", "AAB=", "AAAA//==", "////AAF="];
      const others = ["AA\u00e4A", "AAA\u0141", "\ud83d\ude00AA", "AA.A", "AAA\0"];
      for (const text of [...refused, ...urls, ...spaces, ...strayBits, ...others]) {
        assert.isUndefined(codec.decode(text), JSON.stringify(text));
      }
    });

    it("refuses any wrong character at any place", () => {
      const text = codec.encode(bytesOf(20));
      for (let at = 0; at < text.length - 1; at++) {
        for (const wrong of ["-", "=", " ", "\u00ff", "\u0100"]) {
          assert.isUndefined(codec.decode(text.slice(0, at) + wrong + text.slice(at + 1)), `${at}`);
        }
      }
    });
  });
}
