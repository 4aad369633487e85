/** The application that every bundler gets: puts records, reads them back, says how it shares the engine. */
import { open, options } from "./millrace-setup.js";

const DATA_BYTES = 200;

let opened;

function engine() {
  opened ??= open({ name: "bundled", ...options() });
  return opened;
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function stream() {
  return await (await engine()).streams.ensure("clicks", { shards: 2 });
}

const application = {
  /** Puts records of random data; resolves with the beginning of each. */
  async put(count) {
    const records = Array.from({ length: count }, (_, i) => ({
      partitionKey: `key-${i % 17}`,
      data: crypto.getRandomValues(new Uint8Array(DATA_BYTES)),
    }));
    const heads = records.map(({ data }) => hex(data.subarray(0, 16)));
    const { failedRecordCount } = await (await stream()).putRecords(records);
    if (failedRecordCount !== 0) throw new Error(`${failedRecordCount} records failed`);
    return heads;
  },

  /** The beginning of every record that is there. */
  async read() {
    const heads = [];
    for await (const record of (await stream()).read({ from: "TRIM_HORIZON", until: "end" })) {
      if (record.data.length !== DATA_BYTES) throw new Error(`${record.data.length} bytes`);
      heads.push(hex(record.data.subarray(0, 16)));
    }
    return heads;
  },

  async member() {
    const { role, transport } = await (await engine()).member();
    return { role, transport };
  },

  /** How opening fails, and after how long. */
  async failure() {
    const startMs = performance.now();
    try {
      await engine();
      return undefined;
    } catch (error) {
      const { name, message, value } = error;
      return { name, message, value, afterMs: performance.now() - startMs };
    }
  },
};

/** Makes the application reachable for the test that drives the page. */
export function start() {
  globalThis.application = application;
}
