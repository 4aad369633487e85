/** What every store of logs must do, as one suite that Node and browsers run over each of them. */
import { assert } from "chai";
import { MillraceError } from "../../src/errors/errors.ts";
import { FrameExistsError, OutcomeUnknownError } from "../../src/errors/store-errors.ts";
import type { LogStore, SegmentKey, SegmentWrite } from "../../src/storage/log-store.ts";

/** One store under test. */
export interface StoreUnderTest {
  readonly store: LogStore;
  /** Opens the same contents a second time, as another context or a later process would. */
  openAgain(): Promise<LogStore>;
  /** Ends the test: closes what is open and deletes the contents. */
  dispose(): Promise<void>;
}

/** Random bytes, so that no store can compress them away. */
export function noise(byteLength: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(byteLength);
  for (let offset = 0; offset < byteLength; offset += 65536) {
    crypto.getRandomValues(bytes.subarray(offset, offset + 65536));
  }
  return bytes;
}

/** Waits for a rejection and returns its error, which must be of the given class. */
export async function rejection<Expected extends Error>(
  promise: Promise<unknown>,
  expected: new (...args: never[]) => Expected,
): Promise<Expected> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!("error" in outcome)) assert.fail(`expected ${expected.name}, but the call succeeded`);
  if (!(outcome.error instanceof expected)) {
    assert.fail(`expected ${expected.name}, got ${String(outcome.error)}`);
  }
  return outcome.error;
}

function segment(key: SegmentKey, byteLength = 1000): SegmentWrite {
  return { key, image: noise(byteLength).buffer };
}

/** Compares byte arrays of any length without printing them. */
function assertBytes(actual: Uint8Array | undefined, expected: Uint8Array, what: string): void {
  assert.isDefined(actual, `${what} is missing`);
  assert.strictEqual(actual.byteLength, expected.byteLength, `length of ${what}`);
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  assert.strictEqual(at, -1, `first different byte of ${what}`);
}

/** Runs the suite over the stores that `make` opens, each of them empty. */
export function logStoreContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`log store: ${name}`, () => {
    let subject: StoreUnderTest;
    let store: LogStore;
    beforeEach(async () => {
      subject = await make();
      store = subject.store;
    });
    afterEach(async () => {
      await subject.dispose();
    });

    frameContract(() => store);
    segmentContract(() => store);
    lifeContract(
      () => store,
      () => subject,
    );
  });
}

function frameContract(current: () => LogStore): void {
  it("starts empty", async () => {
    assert.strictEqual(await current().lastFrameNumber(), 0);
    assert.deepEqual(await current().frameNumbers(), []);
    assert.isUndefined(await current().readFrame(1));
  });

  for (const durability of ["strict", "relaxed"] as const) {
    it(`keeps a ${durability} frame as it was given`, async () => {
      const frame = noise(3000);
      await current().appendFrame(1, frame, durability);
      assertBytes(await current().readFrame(1), frame, "frame 1");
      assert.strictEqual(await current().lastFrameNumber(), 1);
    });
  }

  it("keeps the bytes that a view showed at the call, not its buffer", async () => {
    const memory = noise(200_000);
    const view = memory.subarray(70_000, 70_500);
    const expected = view.slice();
    const appended = current().appendFrame(1, view, "strict");
    view.fill(0);
    await appended;
    assert.strictEqual(view.byteLength, 500, "the caller's buffer was detached");
    const stored = await current().readFrame(1);
    assertBytes(stored, expected, "frame 1");
    assert.strictEqual(stored?.buffer.byteLength, 500);
  });

  it("reads a frame into a buffer of its own each time", async () => {
    const frame = noise(100);
    await current().appendFrame(1, frame, "strict");
    (await current().readFrame(1))?.fill(0);
    assertBytes(await current().readFrame(1), frame, "frame 1");
  });

  it("refuses a frame number that is taken, and keeps the first frame", async () => {
    const first = noise(100);
    await current().appendFrame(7, first, "strict");
    const error = await rejection(current().appendFrame(7, noise(50), "strict"), FrameExistsError);
    assert.instanceOf(error, MillraceError);
    assertBytes(await current().readFrame(7), first, "frame 7");
    await current().appendFrame(8, noise(10), "strict");
    assert.deepEqual(await current().frameNumbers(), [7, 8]);
  });

  it("lists frame numbers in numeric order, whatever the order of writing", async () => {
    for (const frameNumber of [10, 9, 100, 2, 4_294_967_296, 11]) {
      await current().appendFrame(frameNumber, noise(8), "relaxed");
    }
    assert.deepEqual(await current().frameNumbers(), [2, 9, 10, 11, 100, 4_294_967_296]);
    assert.strictEqual(await current().lastFrameNumber(), 4_294_967_296);
  });

  it("takes calls that are made at once in their order", async () => {
    const frames = Array.from({ length: 20 }, () => noise(64));
    const refused: number[] = [];
    await Promise.all(
      [...frames, noise(1)].map((frame, i) =>
        current()
          .appendFrame((i % frames.length) + 1, frame, "relaxed")
          .catch((error: unknown) => {
            assert.instanceOf(error, FrameExistsError);
            refused.push(i);
          }),
      ),
    );
    assert.deepEqual(refused, [frames.length]);
    for (const [i, frame] of frames.entries()) {
      assertBytes(await current().readFrame(i + 1), frame, `frame ${i + 1}`);
    }
  });

  it("deletes exactly the frames it is told to, and ignores numbers it does not have", async () => {
    for (let n = 1; n <= 12; n += 1) await current().appendFrame(n, noise(16), "relaxed");
    await current().deleteFrames([3, 1, 2, 7, 99, 10, 9]);
    assert.deepEqual(await current().frameNumbers(), [4, 5, 6, 8, 11, 12]);
    await current().deleteFrames([]);
    await current().deleteFrames([3, 12]);
    assert.strictEqual(await current().lastFrameNumber(), 11);
  });

  it("reads ranges of frames as it reads them one by one", async () => {
    const frames = new Map<number, Uint8Array>();
    for (const n of [1, 2, 3, 7, 8, 20, 4_294_967_296]) {
      const frame = noise(n === 3 ? 300_000 : 50 + (n % 100));
      frames.set(n, frame);
      await current().appendFrame(n, frame, "relaxed");
    }
    for (const [from, to] of [
      [1, 3],
      [2, 8],
      [3, 3],
      [4, 6],
      [0, Number.MAX_SAFE_INTEGER],
      [8, 2],
    ] as const) {
      const read = await current().readFrames(from, to);
      const expected = [...frames.keys()].filter((n) => n >= from && n <= to);
      assert.deepEqual(
        read.map(({ frameNumber }) => frameNumber),
        expected,
      );
      for (const { frameNumber, bytes } of read) {
        assertBytes(bytes, frames.get(frameNumber) ?? noise(0), `frame ${frameNumber}`);
        bytes.fill(0);
      }
    }
    assertBytes(await current().readFrame(3), frames.get(3) ?? noise(0), "frame 3");
  });

  it("keeps frames of 1 byte, 64 KiB and 12 MiB whole", async () => {
    for (const [i, byteLength] of [1, 65_536, 12 * 1_048_576].entries()) {
      const frame = noise(byteLength);
      await current().appendFrame(i + 1, frame, "strict");
      assertBytes(await current().readFrame(i + 1), frame, `frame of ${byteLength} bytes`);
    }
  });
}

function segmentContract(current: () => LogStore): void {
  it("keeps segments under their key and lists the keys in order", async () => {
    const writes = [
      segment([2, 1, 0, 5, 6, 1]),
      segment([1, 10, 500, 1_700_000_000_000, 1_700_000_000_001, 1]),
      segment([1, 9, 400, 3, 4, 2], 300_000),
      segment([1, 9, 400, 3, 4, 1]),
    ];
    // The images are the store's once it has them.
    const kept = writes.map(({ key, image }) => ({ key, image: image.slice(0) }));
    await current().addSegments(writes.slice(0, 2));
    await current().addSegments(writes.slice(2));
    const expected = [writes[3], writes[2], writes[1], writes[0]].map((write) => write?.key);
    assert.deepEqual(await current().segmentKeys(), expected as SegmentKey[]);
    for (const { key, image } of kept) {
      assertBytes(await current().readSegment(key), new Uint8Array(image), key.join("/"));
    }
    assert.isUndefined(await current().readSegment([1, 9, 400, 3, 4, 3]));
  });

  it("adds all segments of a call or none", async () => {
    const taken = segment([1, 1, 0, 1, 2, 1]);
    const first = new Uint8Array(taken.image.slice(0));
    await current().addSegments([taken]);
    const fresh = segment([1, 2, 10, 3, 4, 1]);
    await rejection(current().addSegments([fresh, segment([1, 1, 0, 1, 2, 1])]), FrameExistsError);
    assert.deepEqual(await current().segmentKeys(), [taken.key]);
    assertBytes(await current().readSegment(taken.key), first, "the first");
    await current().addSegments([segment(fresh.key)]);
    assert.deepEqual(await current().segmentKeys(), [taken.key, fresh.key]);
  });

  it("refuses the same key twice in one call", async () => {
    const twice = segment([1, 1, 0, 1, 2, 1]);
    await rejection(current().addSegments([twice, twice]), FrameExistsError);
    assert.deepEqual(await current().segmentKeys(), []);
  });

  it("deletes exactly the segments it is told to, and ignores keys it does not have", async () => {
    const keys: SegmentKey[] = [1, 2, 3].map((n): SegmentKey => [n, 1, 0, 0, 0, 1]);
    await current().addSegments(keys.map((key) => segment(key)));
    await current().deleteSegments([
      [2, 1, 0, 0, 0, 1],
      [2, 1, 0, 0, 0, 2],
    ]);
    await current().addSegments([]);
    await current().deleteSegments([]);
    assert.deepEqual(await current().segmentKeys(), [keys[0], keys[2]] as SegmentKey[]);
  });

  it("reads a segment into a buffer of its own each time", async () => {
    const write = segment([1, 1, 0, 0, 0, 1], 100_000);
    const expected = new Uint8Array(write.image.slice(0));
    await current().addSegments([write]);
    (await current().readSegment(write.key))?.fill(0);
    assertBytes(await current().readSegment(write.key), expected, "the segment");
  });
}

function lifeContract(current: () => LogStore, subject: () => StoreUnderTest): void {
  it("has its frames and segments when it is opened again", async () => {
    const frame = noise(5000);
    const write = segment([1, 1, 0, 0, 0, 1], 90_000);
    const image = new Uint8Array(write.image.slice(0));
    await current().appendFrame(1, frame, "strict");
    await current().addSegments([write]);
    await current().close();
    const again = await subject().openAgain();
    assertBytes(await again.readFrame(1), frame, "frame 1");
    assertBytes(await again.readSegment(write.key), image, "the segment");
    assert.deepEqual(await again.segmentKeys(), [write.key]);
  });

  it("lets only one of two writers have a frame number", async () => {
    const other = await subject().openAgain();
    const writers = [current(), other];
    const frames = writers.map(() => noise(100));
    const outcomes = await Promise.allSettled(
      writers.map((writer, i) => writer.appendFrame(5, frames[i] ?? noise(0), "strict")),
    );
    const winner = outcomes.findIndex(({ status }) => status === "fulfilled");
    const [loss, ...rest] = outcomes.filter(({ status }) => status === "rejected");
    assert.deepEqual(rest, []);
    if (loss?.status !== "rejected") assert.fail("both writers got frame 5");
    assert.instanceOf(loss.reason, FrameExistsError);
    assertBytes(await other.readFrame(5), frames[winner] ?? noise(0), "frame 5");
  });

  it("shows relaxed frames to others like strict ones, over a reopening, and keeps their order", async () => {
    const frames = Array.from({ length: 6 }, () => noise(500));
    for (const [i, frame] of frames.entries()) {
      await current().appendFrame(i + 1, frame, i % 3 === 2 ? "strict" : "relaxed");
    }
    const other = await subject().openAgain();
    assert.deepEqual(await other.frameNumbers(), [1, 2, 3, 4, 5, 6]);
    await rejection(other.appendFrame(5, noise(10), "relaxed"), FrameExistsError);
    await current().reopen();
    for (const [i, frame] of frames.entries()) {
      assertBytes(await current().readFrame(i + 1), frame, `frame ${i + 1}`);
    }
    await current().deleteFrames([1, 2]);
    await current().appendFrame(7, noise(10), "relaxed");
    assert.deepEqual(await current().frameNumbers(), [3, 4, 5, 6, 7]);
  });

  it("goes on after reopen", async () => {
    await current().appendFrame(1, noise(10), "strict");
    await current().reopen();
    await current().appendFrame(2, noise(10), "strict");
    assert.deepEqual(await current().frameNumbers(), [1, 2]);
  });

  it("tells that the outcome is unknown once it is closed, until it is reopened", async () => {
    await current().appendFrame(1, noise(10), "strict");
    await current().close();
    await current().close();
    const error = await rejection(
      current().appendFrame(2, noise(10), "strict"),
      OutcomeUnknownError,
    );
    assert.isTrue(error.indeterminate);
    await rejection(current().readFrame(1), OutcomeUnknownError);
    await current().reopen();
    assert.deepEqual(await current().frameNumbers(), [1]);
  });

  it("does not call a closed connection lost", async () => {
    let lost: string | undefined;
    current().onLost((reason) => {
      lost = reason;
    });
    await current().reopen();
    await current().close();
    assert.isUndefined(lost);
  });

  it("reports its usage", async () => {
    await current().appendFrame(1, noise(100_000), "strict");
    const usage = await current().usage();
    assert.isBoolean(usage.persistent);
    if (usage.usageBytes !== undefined) assert.isAtLeast(usage.usageBytes, 0);
  });
}
