/**
 * CRC-32 (ISO-HDLC: gzip, event streams) and CRC-32C (Castagnoli: snappy framing), sixteen bytes at a
 * time by table ("slicing"). Each polynomial has 16 tables of 256 words, built when the core starts.
 */
import { takeTable } from "../memory/tables";

const TABLE_BYTES: u32 = 1024;
const TABLES: u32 = 16;
const POLYNOMIAL_CRC32: u32 = 0xedb88320;
const POLYNOMIAL_CRC32C: u32 = 0x82f63b78;

let crc32Tables: usize = 0;
let crc32cTables: usize = 0;

/** Takes and fills the tables; false when there is no memory for them. */
export function openCrc(): bool {
  crc32Tables = takeTable(TABLE_BYTES * TABLES);
  crc32cTables = takeTable(TABLE_BYTES * TABLES);
  if (crc32Tables == 0 || crc32cTables == 0) return false;
  fillTables(crc32Tables, POLYNOMIAL_CRC32);
  fillTables(crc32cTables, POLYNOMIAL_CRC32C);
  return true;
}

function fillTables(tables: usize, polynomial: u32): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    store<u32>(tables + (byte << 2), crc);
  }
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = load<u32>(tables + (byte << 2));
    for (let table: u32 = 1; table < TABLES; table++) {
      crc = stepByte(tables, crc, 0);
      store<u32>(tables + table * TABLE_BYTES + (byte << 2), crc);
    }
  }
}

function stepByte(tables: usize, crc: u32, byte: u32): u32 {
  return load<u32>(tables + (((crc ^ byte) & 255) << 2)) ^ (crc >>> 8);
}

/** Looks up the four bytes of a word in four neighbouring tables, the highest first. */
function sliceWord(tables: usize, word: u32): u32 {
  return (
    load<u32>(tables + ((word & 255) << 2), 3072) ^
    load<u32>(tables + (((word >>> 8) & 255) << 2), 2048) ^
    load<u32>(tables + (((word >>> 16) & 255) << 2), 1024) ^
    load<u32>(tables + ((word >>> 24) << 2))
  );
}

function update(tables: usize, crc: u32, source: usize, length: usize): u32 {
  const end = source + length;
  while (source + 16 <= end) {
    crc =
      sliceWord(tables + 12288, load<u32>(source) ^ crc) ^
      sliceWord(tables + 8192, load<u32>(source, 4)) ^
      sliceWord(tables + 4096, load<u32>(source, 8)) ^
      sliceWord(tables, load<u32>(source, 12));
    source += 16;
  }
  while (source < end) {
    crc = stepByte(tables, crc, load<u8>(source));
    source++;
  }
  return crc;
}

/** Continues a CRC-32; starts from 0. */
export function crc32(crc: u32, source: usize, length: usize): u32 {
  return ~update(crc32Tables, ~crc, source, length);
}

/** Continues a CRC-32C; starts from 0. */
export function crc32c(crc: u32, source: usize, length: usize): u32 {
  return ~update(crc32cTables, ~crc, source, length);
}
