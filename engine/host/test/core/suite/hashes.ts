/** MD5, XXH64, CRC-32 and CRC-32C against published vectors and another implementation. */
import { assert } from "chai";
import { createMD5, createXXHash64 } from "hash-wasm";
import type { Core } from "../../../src/core/core.ts";
import { type CoreBuild, newCore } from "./build.ts";
import { addShards, appendDurably, hex, readAll, testBytes, utf8 } from "./support.ts";

/** The test suite of RFC 1321, appendix A.5. */
const MD5_VECTORS: readonly (readonly [string, string])[] = [
  ["", "d41d8cd98f00b204e9800998ecf8427e"],
  ["a", "0cc175b9c0f1b6a831c399e269772661"],
  ["abc", "900150983cd24fb0d6963f7d28e17f72"],
  ["message digest", "f96b697d7cb7938d525a2f31aaf161d0"],
  ["abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"],
  [
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "d174ab98d277d9f5a5611c2c9f419d9f",
  ],
  [
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
    "57edf4a22be3c955ac49da2e2107b67a",
  ],
];

const XXH64_VECTORS: readonly (readonly [string, bigint])[] = [
  ["", 0xef46db3751d8e999n],
  ["a", 0xd24ec4f1a98c6e5bn],
  ["abc", 0x44bc2cf5ad770999n],
  ["Nobody inspects the spammish repetition", 0xfbcea83c8a378bf1n],
];

/** RFC 3720, appendix B.4; the last is its read command. */
const CRC32C_VECTORS: readonly (readonly [string, Uint8Array, number])[] = [
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 ones", new Uint8Array(32).fill(255), 0x62a8ab43],
  ["0 to 31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ["31 to 0", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  [
    "a read command",
    Uint8Array.of(
      ...[0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0],
      ...[0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0],
    ),
    0xd9963a56,
  ],
];

/** Lengths around every boundary of the kernels. */
const LENGTHS = [
  ...Array.from({ length: 200 }, (_, i) => i),
  ...[255, 256, 257, 1_023, 1_024, 1_025, 4_031, 4_095, 4_096, 4_097, 65_535, 65_536, 1_000_003],
  ...[1_114_111, 1_114_112, 1_114_113, 2_500_001],
];

function bitwiseCrc(bytes: Uint8Array, polynomial: number): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  }
  return ~crc >>> 0;
}

function streamed(core: Core, bytes: Uint8Array, pieceBytes: number): bigint {
  core.hashReset();
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    core.hashBytes(bytes.subarray(from, from + pieceBytes));
  }
  return core.hashDigest();
}

/** The suite. */
export function hashSuite(build: CoreBuild): void {
  describe(`hashes of the ${build.name} core`, () => {
    it("gives the MD5 digests of RFC 1321", async () => {
      const core = await newCore(build);
      for (const [text, digest] of MD5_VECTORS) assert.equal(hex(core.md5(utf8(text))), digest);
    });

    it("gives the same MD5 as another implementation for every length up to three blocks", async () => {
      const core = await newCore(build);
      const other = await createMD5();
      for (const length of LENGTHS) {
        const bytes = testBytes(length, length);
        assert.equal(hex(core.md5(bytes)), other.init().update(bytes).digest("hex"), `${length}`);
      }
    });

    it("gives published XXH64 values", async () => {
      const core = await newCore(build);
      for (const [text, hash] of XXH64_VECTORS) assert.equal(core.xxh64(utf8(text)), hash, text);
    });

    it("gives the same XXH64 as another implementation, at once and in pieces", async () => {
      const core = await newCore(build);
      const other = await createXXHash64();
      for (const length of LENGTHS) {
        const bytes = testBytes(length, length);
        const expected = BigInt(`0x${other.init().update(bytes).digest("hex")}`);
        assert.equal(core.xxh64(bytes), expected, `${length} bytes at once`);
        for (const pieceBytes of [7, 32, 45, 1_000].filter((piece) => length < piece * 300)) {
          assert.equal(streamed(core, bytes, pieceBytes), expected, `${length} by ${pieceBytes}`);
        }
      }
    });

    it("hashes a stream of XXH64 on while other hashes are computed and segments sealed", async () => {
      const core = await newCore(build);
      addShards(core, 1);
      appendDurably(core, [{ key: "k", data: testBytes(100) }]);
      core.roll(0);
      core.hashReset();
      core.hashBytes(utf8("Nobody inspects "));
      core.xxh64(testBytes(2_000_000));
      core.md5(testBytes(100));
      core.seal(core.sealable(1)[0]?.segment ?? 0, { epoch: 1 });
      core.hashBytes(utf8("the spammish repetition"));
      assert.equal(core.hashDigest(), 0xfbcea83c8a378bf1n);
    });

    it("hashes core memory in place", async () => {
      const core = await newCore(build);
      addShards(core, 1);
      appendDurably(core, [{ key: "k", data: testBytes(1_000) }]);
      const range = core.locate(0, 0, 1, 1);
      if (range.kind !== "records") return assert.fail("the record is there");
      const frame = core.view(range.address, range.byteLength).slice();
      core.hashReset();
      core.hashMemory(range.address, range.byteLength);
      assert.equal(core.hashDigest(), core.xxh64(frame));
    });

    it("writes frames whose XXH64 is the standard one, whatever the length of the payload", async () => {
      const core = await newCore(build, { arenaBytesMax: 64 * 1_048_576 });
      addShards(core, 1);
      const lengths = LENGTHS.filter((length) => length < 1_100_000);
      for (const [i, length] of lengths.entries()) {
        appendDurably(core, [{ key: "k", data: testBytes(length, length) }], i + 1);
      }
      // readAll compares the hash of each frame with xxh64, which is compared above.
      const records = readAll(core, 0);
      assert.deepEqual(
        records.map(({ data }) => data.length),
        lengths,
      );
      for (const { data } of records) assert.deepEqual(data, testBytes(data.length, data.length));
    });

    it("gives the check values of CRC-32 and CRC-32C", async () => {
      const core = await newCore(build);
      assert.equal(core.crc32(utf8("123456789")), 0xcbf43926);
      assert.equal(core.crc32c(utf8("123456789")), 0xe3069283);
      assert.equal(core.crc32(utf8("")), 0);
      for (const [name, bytes, crc] of CRC32C_VECTORS) assert.equal(core.crc32c(bytes), crc, name);
    });

    it("gives the CRCs that a bit-by-bit computation gives, for every length", async () => {
      const core = await newCore(build);
      for (const length of LENGTHS.filter((one) => one < 70_000 || one === 1_114_113)) {
        const bytes = testBytes(length, length);
        assert.equal(core.crc32(bytes), bitwiseCrc(bytes, 0xedb88320), `${length}`);
        assert.equal(core.crc32c(bytes), bitwiseCrc(bytes, 0x82f63b78), `${length}`);
      }
    });
  });
}
