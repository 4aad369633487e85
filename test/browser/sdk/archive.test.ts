/** In a real worker: the witness in the origin private file system, and a log as one file. */
import { assert } from "chai";
import { importLog, open } from "millrace";
import { itNeeding } from "../features.ts";
import { newName } from "./support.ts";

const itWithFiles = await itNeeding("origin private file system");
const SETTLE_MS = 1500;

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

function deleteDatabase(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(`millrace:${name}`);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("the database is open"));
  });
}

itWithFiles("a log that was deleted is noticed by its witness, and begins anew", async () => {
  const name = newName();
  const first = await open({ name });
  const stream = await first.streams.ensure("clicks");
  await stream.putRecord({ partitionKey: "a", data: "1" });
  await pause(SETTLE_MS);
  const { witnessed, incarnation } = await first.storage();
  assert.isTrue(witnessed);
  assert.match(incarnation, /^[0-9a-f]{32}$/);
  await first.close();
  const again = await open({ name });
  assert.deepEqual(await again.dataLoss(), []);
  assert.strictEqual((await again.storage()).incarnation, incarnation);
  await again.close();
  await deleteDatabase(name);
  const second = await open({ name });
  const losses = await second.dataLoss();
  assert.strictEqual(losses.length, 1);
  assert.deepInclude(losses[0], { kind: "log", reason: "the log is gone" });
  assert.notStrictEqual((await second.storage()).incarnation, incarnation);
  await second.close();
});

it("a log is exported, checked, and imported under another name", async () => {
  const [from, to] = [newName(), newName()];
  const millrace = await open({ name: from });
  const stream = await millrace.streams.ensure("clicks", { shards: 2 });
  const records = Array.from({ length: 500 }, (_, i) => ({
    partitionKey: `key-${i}`,
    data: crypto.getRandomValues(new Uint8Array(10_000)).fill(i % 251, 0, 100),
  }));
  await stream.putRecords(records);
  const file = await new Response(millrace.export()).blob();
  assert.isAbove(file.size, 5_000_000);
  assert.deepInclude(await millrace.check(), { records: 500, damage: [] });
  await importLog(to, file);
  const copy = await open({ name: to });
  assert.deepInclude(await copy.check(), { records: 500, damage: [] });
  assert.deepEqual(await copy.dataLoss(), []);
  await copy.close();
  await millrace.close();
});
