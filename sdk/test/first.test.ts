import { expect, it } from "vitest";
import { open } from "millrace";
it("works", async () => {
  const m = await open({ name: "x", storage: "memory" });
  const s = await m.streams.ensure("clicks", { shards: 2 });
  const r = await s.putRecord({ partitionKey: "a", data: { page: 1 } });
  console.log(r);
  const rs = await s.putRecords(Array.from({ length: 25000 }, (_, i) => ({ partitionKey: "k" + (i % 10), data: "x".repeat(300) + i })));
  console.log(rs.length, rs.failedRecordCount, rs.get(24999));
  let n = 0; let b = 0;
  console.time("read");
  for await (const record of s.read({ from: "TRIM_HORIZON", until: "end" })) { n++; b += record.text().length; }
  console.timeEnd("read");
  console.log(n, b, (await m.storage()).commits, await s.metrics());
  await m.close();
  await expect(s.putRecord({ partitionKey: "a", data: "x" })).rejects.toThrow(/closed/);
});
