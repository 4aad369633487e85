/** A consumer group over several tabs: frames with workers of their own, one of which ends in the middle of a batch. */
import { assert } from "chai";
import type { GroupWorker, ProcessInput, Stream } from "millrace";
import { closeAll, fileHere, newName, openEngine, readTexts } from "./support.ts";
import type { Tab } from "./tab-frame.ts";

const RECORDS = 400;
/** How soon the others go on, in ms: half of the time after which one that is not heard of is dead, for a lock tells. */
const FAILOVER_MS_MAX = 5000;
/** How long anything else may take, on a busy machine. */
const UNTIL_MS_MAX = 15_000;
const frames: HTMLIFrameElement[] = [];

async function openTab(engine: string): Promise<{ tab: Tab; frame: HTMLIFrameElement }> {
  const id = crypto.randomUUID();
  const opened = new Promise<void>((resolve) => {
    const listen = ({ data }: MessageEvent): void => {
      if (data?.ready !== id) return;
      removeEventListener("message", listen);
      resolve();
    };
    addEventListener("message", listen);
  });
  const frame = document.createElement("iframe");
  frames.push(frame);
  frame.src = fileHere(`./tab-frame.html?engine=${engine}&frame=${id}`);
  document.body.append(frame);
  await opened;
  assert.isNotNull(frame.contentWindow);
  return { tab: Reflect.get(frame.contentWindow, "tab") as Tab, frame };
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < UNTIL_MS_MAX / 25; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`${what}: not within ${UNTIL_MS_MAX} ms`);
}

async function copy({ records, checkpointer }: ProcessInput): Promise<void> {
  const outputs = records.map(({ partitionKey, data }) => ({
    ...{ streamName: "copies", partitionKey, data },
  }));
  await checkpointer.checkpoint({ outputs });
}

/** Works in a tab; `before` comes before each copy. */
async function work(stream: Stream, before: () => Promise<void> | void): Promise<GroupWorker> {
  const group = await stream.group("g", { from: "TRIM_HORIZON" });
  const processRecords = async (input: ProcessInput): Promise<void> => {
    await before();
    await copy(input);
  };
  return group.start(() => ({ processRecords }), { checkpoints: "manual", batchRecordsMax: 20 });
}

function numbered(from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => ({
    partitionKey: crypto.randomUUID(),
    data: `${from + i}`,
  }));
}

afterEach(async () => {
  for (const frame of frames.splice(0)) frame.remove();
  await closeAll();
});

it("a group goes on without a tab that ends in the middle of a batch", async () => {
  const name = newName();
  const engine = await openEngine({ name });
  const copies = await engine.streams.ensure("copies");
  const stays = await openTab(name);
  const ends = await openTab(name);
  let held = 0;
  let ended = 0;
  let next = 0;
  const staying = await work(stays.tab.stream, () => {
    if (ended > 0 && next === 0 && staying.leases.length === 2) next = performance.now();
  });
  const ending = await work(ends.tab.stream, async () => {
    held += 1;
    await new Promise(() => undefined);
  });
  await until("both have a lease", () => staying.leases.length === 1 && ending.leases.length === 1);
  const stream = await engine.streams.get("clicks");
  await stream.putRecords(numbered(0, RECORDS / 2));
  await until("the one that ends has a batch", () => held > 0);
  ended = performance.now();
  ends.frame.remove();
  await until("the other one has both leases", () => staying.leases.length === 2);
  await stream.putRecords(numbered(RECORDS / 2, RECORDS));
  const numbers = async () => (await readTexts(copies)).map(Number);
  await until("all is copied", async () => (await numbers()).length >= RECORDS);
  assert.deepEqual(
    (await numbers()).sort((a, b) => a - b),
    Array.from({ length: RECORDS }, (_, i) => i),
  );
  assert.isBelow(next - ended, FAILOVER_MS_MAX);
  await staying.stop();
}).timeout(60_000);
