/** Records between a page, its worker and IndexedDB. */

import { accessLog } from "@millrace/transform-access-log";
import { assert } from "chai";
import { openTransform } from "millrace/plugin";
import { closeAll, openEngine, readTexts } from "./support.ts";

async function accessLogLines(): Promise<string[]> {
  const response = await fetch("/test/fixtures/access-log/apache_combined.log");
  return (await response.text()).split("\n").filter((line) => line !== "");
}

describe("records in a browser", () => {
  afterEach(closeAll);

  it("put by 500 calls of one task make at most 2 transactions", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks", { shards: 4 });
    const before = (await engine.storage()).commits;
    const puts = Array.from({ length: 500 }, (_, i) =>
      stream.putRecord({ partitionKey: `key-${i % 50}`, data: { i } }),
    );
    const results = await Promise.all(puts);
    const { commits } = await engine.storage();
    assert.isAtMost(commits - before, 2);
    assert.equal(new Set(results.map(({ sequenceNumber }) => sequenceNumber)).size, 500);
    assert.lengthOf(await readTexts(stream), 500);
  });

  for (const shards of [1, 2, 8]) {
    it(`of a real log of 10,000 lines read back as they were put, over ${shards} shards`, async () => {
      const engine = await openEngine();
      const stream = await engine.streams.create("log", { shards });
      const lines = await accessLogLines();
      assert.lengthOf(lines, 10_000);
      const keyOf = (line: string): string => line.slice(0, line.indexOf(" "));
      const result = await stream.putRecords(
        lines.map((line) => ({ partitionKey: keyOf(line), data: line })),
      );
      assert.equal(result.failedRecordCount, 0);
      const expected = new Map<string, string[]>();
      for (const line of lines)
        expected.set(keyOf(line), [...(expected.get(keyOf(line)) ?? []), line]);
      const read = new Map<string, string[]>();
      const reading = stream.read({ from: "TRIM_HORIZON", until: "end" });
      for await (const record of reading) {
        const { partitionKey } = record;
        read.set(partitionKey, [...(read.get(partitionKey) ?? []), record.text()]);
      }
      assert.equal(read.size, expected.size);
      for (const [key, values] of expected) assert.deepEqual(read.get(key), values);
    });
  }

  it("wake a live read as soon as they are durable", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks", { shards: 2 });
    const reading = stream.read({ from: "LATEST", until: "live" });
    await stream.describe();
    // Every read waits before its record is put; without being woken it would wait for 20 seconds.
    for (let i = 0; i < 25; i++) {
      const next = reading.next();
      await stream.putRecord({ partitionKey: `${i}`, data: `${i}` });
      assert.equal((await next).value?.text(), `${i}`);
    }
    await reading.return?.();
  });

  it("go through a plugin, batch by batch", async () => {
    const engine = await openEngine({ storage: "memory" });
    const stream = await engine.streams.create("log", { shards: 2 });
    const lines = (await accessLogLines()).slice(0, 2000);
    await stream.putRecords(lines.map((line, i) => ({ partitionKey: `${i % 9}`, data: line })));
    const transform = openTransform(accessLog());
    const statuses = new Map<number, number>();
    for await (const batch of stream.readBatches({ from: "TRIM_HORIZON", until: "end" })) {
      for (const outcome of await transform.transform(batch, { stream: stream.name })) {
        if (outcome.result !== "Ok") assert.fail(JSON.stringify(outcome));
        const { status } = JSON.parse(String(outcome.data));
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    }
    assert.equal(
      [...statuses.values()].reduce((sum, count) => sum + count, 0),
      2000,
    );
    assert.isAbove(statuses.get(200) ?? 0, 1500);
  });

  it("wait for room in the outbox when far more is put than it holds", async () => {
    const engine = await openEngine({ storage: "memory" });
    const stream = await engine.streams.create("large");
    const data = new Uint8Array(1_000_000);
    const puts = Array.from({ length: 64 }, (_, i) => {
      data[0] = i;
      return stream.putRecord({ partitionKey: "k", data });
    });
    await Promise.all(puts);
    const firsts: (number | undefined)[] = [];
    for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
      firsts.push(record.data[0]);
    }
    assert.deepEqual(
      firsts,
      Array.from({ length: 64 }, (_, i) => i),
    );
  });
});
