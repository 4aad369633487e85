/** What a page is told of refused records, from results that a real core packed. */
import { readFile } from "node:fs/promises";
import { assert } from "chai";
import type { Core } from "../../src/core/core.ts";
import { BatchResult, type PutFailure } from "../../src/rpc/result-decoder.ts";
import { BUILD_PATHS, newCore } from "../core/suite/build.ts";
import { addShards, append, someRecords, testBytes } from "../core/suite/support.ts";

const MIB = 1_048_576;
const NOW_MS = 1_000_000;

async function core(): Promise<Core> {
  const bytes = await readFile(new URL(`../../../../${BUILD_PATHS.release}`, import.meta.url));
  const one = await newCore({ name: "release", module: await WebAssembly.compile(bytes) });
  addShards(one, 2);
  return one;
}

function failure(of: Core, row: number): PutFailure {
  const packed = of.packResult(NOW_MS, (slot) => ({ shardIndex: slot, createdSeconds: 9 }));
  const outcome = new BatchResult(packed, "orders").get(row);
  return "errorCode" in outcome ? outcome : assert.fail("the record was refused");
}

describe("results of refused records", () => {
  const settings = {
    quota: { recordsPerSecond: 4_000, bytesPerSecond: 4 * MIB },
    spread: false,
  };

  it("name the stream, its limit and the time to wait when the stream is over its capacity", async () => {
    const one = await core();
    one.setRouteSettings(0, settings);
    append(one, someRecords(4_001, 1));
    assert.deepEqual(failure(one, 4_000), {
      errorCode: "ProvisionedThroughputExceededException",
      errorMessage:
        "Rate exceeded for stream orders under account 000000000000. Limit: 4,000 records per second. " +
        "Retry after 1 ms.",
      retryAfterMs: 1,
      limit: "4,000 records per second",
    });
    const large = { key: "k", data: testBytes(5.5 * MIB) };
    append(one, [large, large], { nowMs: NOW_MS + 60_000 });
    assert.match(
      failure(one, 1).errorMessage,
      /Limit: 4,194,304 bytes per second\. Retry after \d+ ms\.$/,
    );
  });

  it("say that a fault was injected", async () => {
    const one = await core();
    append(one, [
      { key: "k", data: testBytes(1) },
      { key: "k", data: testBytes(1), fault: true },
    ]);
    assert.deepEqual(failure(one, 1), {
      errorCode: "ProvisionedThroughputExceededException",
      errorMessage: "injected fault",
      retryAfterMs: 0,
    });
  });

  it("name the shard when it is the shard's quota", async () => {
    const one = await core();
    for (const slot of [0, 1]) one.setWriteQuotas(slot, true);
    append(
      one,
      someRecords(1_001, 1).map((record) => ({ ...record, explicitHashKey: 0n })),
    );
    assert.match(
      failure(one, 1_000).errorMessage,
      /^Rate exceeded for shard shardId-000000000000 in stream orders .* Limit: 1,000 records/,
    );
  });
});
