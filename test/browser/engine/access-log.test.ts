/** A real web server's log through the engine and back, with the client's address as partition key. */
import { assert } from "chai";
import { deleteDB } from "idb";
import { open } from "millrace";
import { databaseNameOf } from "../../../engine/host/src/storage/indexeddb-store.ts";

const LOG_URL = "/test/fixtures/access-log/apache_combined.log";
const LINES = 10_000;
const LINE_FEED = 10;
const SPACE = 32;

interface Line {
  readonly partitionKey: string;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** The log's lines as bytes, whatever their encoding, without the line feeds. */
async function readLog(): Promise<Line[]> {
  const response = await fetch(LOG_URL);
  assert.isTrue(response.ok);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const lines: Line[] = [];
  for (let start = 0; start < bytes.byteLength; ) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed < 0 ? bytes.byteLength : feed;
    const data = bytes.slice(start, end);
    const address = data.subarray(0, data.indexOf(SPACE));
    lines.push({ partitionKey: new TextDecoder().decode(address), data });
    start = end + 1;
  }
  return lines;
}

function textOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** Lines of each partition key, in order, each byte a character. */
function byKey(lines: Iterable<{ partitionKey: string; data: Uint8Array }>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { partitionKey, data } of lines) {
    const texts = found.get(partitionKey) ?? [];
    texts.push(textOf(data));
    found.set(partitionKey, texts);
  }
  return found;
}

describe("10,000 real log lines", () => {
  const name = `access-log-${performance.timeOrigin}`;
  let lines: Line[];
  before(async () => {
    lines = await readLog();
    assert.lengthOf(lines, LINES);
  });
  after(() => deleteDB(databaseNameOf(name)));

  for (const shards of [1, 2, 8]) {
    it(`come back as they were put, per key in order, over ${shards} shards, also after reopening`, async () => {
      const expected = byKey(lines);
      const first = await open({ name });
      const stream = await first.streams.ensure(`lines-${shards}`, { shards });
      const result = await stream.putRecords(lines);
      assert.equal(result.failedRecordCount, 0);
      await first.close();

      const millrace = await open({ name });
      const reopened = await millrace.streams.get(`lines-${shards}`);
      const read: Line[] = [];
      const shardIds = new Set<string>();
      for await (const record of reopened.read({ from: "TRIM_HORIZON", until: "end" })) {
        shardIds.add(record.shardId);
        read.push({ partitionKey: record.partitionKey, data: record.bytes() });
      }
      await millrace.close();
      assert.lengthOf(read, LINES);
      assert.equal(shardIds.size, shards);
      assert.deepEqual(byKey(read), expected);
    });
  }
});
