import { readFile } from "node:fs/promises";
import { test, expect } from "vitest";
import { Core } from "../../src/core/core.ts";
const H = 48;
function batch(rows: {key: string; data: Uint8Array}[], flags = 0): Uint8Array {
  const enc = new TextEncoder();
  let n = H; const ks = rows.map(r => enc.encode(r.key));
  rows.forEach((r, i) => { n += (8 + ks[i]!.length + r.data.length + 7) & ~7; });
  const b = new Uint8Array(n); const v = new DataView(b.buffer);
  v.setUint32(0, 0x3142524d, true); v.setUint16(4, 1, true); v.setUint16(6, flags, true); v.setUint32(8, rows.length, true); v.setUint32(12, n, true);
  let at = H;
  rows.forEach((r, i) => { v.setUint16(at, ks[i]!.length, true); v.setUint32(at + 4, r.data.length, true); b.set(ks[i]!, at + 8); b.set(r.data, at + 8 + ks[i]!.length); at += (8 + ks[i]!.length + r.data.length + 7) & ~7; });
  return b;
}
for (const f of ["../../wasm/core.wasm", "../../wasm/core.scalar.wasm", "../../../core/build/core.debug.wasm"]) test("smoke " + f, async () => {
  const core = await Core.instantiate(await readFile(new URL(f, import.meta.url)), { shardSlotsMax: 10, routesMax: 2, arenaBytesMax: 8 << 20 });
  core.addShard({ slot: 3, streamUid: 1, shardUid: 7, startingHashKey: 0n, endingHashKey: (1n << 128n) - 1n, nextIndex: 5, nextOrdinal: 1, writeQuotas: false });
  core.setRoutes(1, [3]);
  console.log(core.append(batch([{ key: "a", data: new Uint8Array(10) }, { key: "abc", data: new Uint8Array(100000) }]), { route: 1, nowMs: 1000, recordBytesMax: 1 << 20 }));
  const runs = core.cut(); console.log(runs);
  console.log(core.locate(3, 5, 10, 1000)); core.commit(9);
  console.log(core.locate(3, 5, 10, 1000), core.intactFrames(core.view(runs[0]!.address, runs[0]!.byteLength).slice()));
  core.roll(3); const s = core.sealable(10); console.log(s);
  const img = core.seal(s[0]!.segment, { epoch: 4 }); core.declare(s[0]!.segment);
  core.load(3, new Uint8Array(img));
  expect(Buffer.from(core.md5(new TextEncoder().encode("abc"))).toString("hex")).toBe("900150983cd24fb0d6963f7d28e17f72");
  console.log(core.memory(), core.crc32(Buffer.from("123456789")).toString(16), core.crc32c(Buffer.from("123456789")).toString(16));
  console.log(core.position(3));
});
