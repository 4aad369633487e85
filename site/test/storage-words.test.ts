/** What the Storage place says of reports and events, and how it collects a file. */
import type { EngineEvent, MemberStatus, StorageReport } from "millrace";
import { describe, expect, it } from "vitest";
import { collect } from "../src/storage/download.ts";
import { EventLog } from "../src/storage/event-log.ts";
import {
  durabilityMark,
  eventState,
  eventText,
  lossText,
  roleMark,
  shortId,
} from "../src/storage/words.ts";

const MEMBER: MemberStatus = {
  role: "follower",
  why: undefined,
  epoch: 7,
  memberId: "0".repeat(32),
  leaderId: "1".repeat(32),
  transport: "port",
  members: 0,
};

const storage = (changed: Partial<StorageReport>): StorageReport =>
  ({ durable: true, full: false, kind: "indexeddb", ...changed }) as StorageReport;

const loss = { kind: "log", where: "frames 3 to 9", reason: "gone", recordCount: 1 } as const;

describe("the words of the storage place", () => {
  it("tell the part that a tab plays", () => {
    expect(roleMark(undefined)).toMatchObject({ state: "off", text: "No writer" });
    expect(roleMark({ ...MEMBER, role: "leader" })).toMatchObject({ text: "Leader, epoch 7" });
    expect(roleMark(MEMBER)).toMatchObject({ state: "good", text: "Follower, epoch 7" });
    expect(roleMark({ ...MEMBER, leaderId: undefined })).toMatchObject({ state: "busy" });
    const client = roleMark({ ...MEMBER, role: "client", why: "too old" });
    expect(client.state).toBe("warn");
    expect(client.title).toContain("too old");
  });

  it("tell a full store before its durability, and memory from disk", () => {
    expect(durabilityMark(storage({ full: true }))).toMatchObject({ state: "hot", text: "Full" });
    expect(durabilityMark(storage({}))).toMatchObject({ state: "good", text: "Durable" });
    expect(durabilityMark(storage({ durable: false }))).toMatchObject({ state: "warn" });
  });

  it("tell what, where and how much was lost", () => {
    expect(lossText(loss)).toBe("log frames 3 to 9: gone (1 record)");
    expect(lossText({ ...loss, recordCount: undefined })).toContain("an unknown number of records");
    const event: EngineEvent = { kind: "data-loss", atMs: 0, report: loss };
    expect(eventState(event)).toBe("hot");
    expect(eventText(event)).toContain("frames 3 to 9");
  });

  it("tell the range that was dropped", () => {
    const text = eventText({
      ...{
        kind: "records-dropped",
        atMs: 0,
        streamName: "clicks",
        shardId: "shardId-000000000002",
      },
      ...{ firstSequenceNumber: "11", lastSequenceNumber: "19", recordCount: 2 },
    });
    expect(text).toBe(
      "Dropped 2 records of clicks, shardId-000000000002, from 11 to 19, because the store was full",
    );
  });

  it("shorten ids", () => {
    expect(shortId("abcdef0123456789")).toBe("abcdef01");
    expect(shortId(undefined)).toBe("–");
  });
});

describe("the log of events", () => {
  it("keeps the newest and counts the others", () => {
    const tell = new Map<string, (event: EngineEvent) => void>();
    const millrace = {
      on: (kind: string, listener: (event: EngineEvent) => void) => tell.set(kind, listener),
    };
    const log = new EventLog(millrace as never);
    for (let epoch = 1; epoch <= 203; epoch += 1) {
      tell.get("leader-changed")?.({ kind: "leader-changed", atMs: epoch, epoch, here: true });
    }
    expect(log.events).toHaveLength(200);
    expect(log.events[0]).toMatchObject({ epoch: 203 });
    expect(log.dropped).toBe(3);
  });
});

describe("a file", () => {
  const pieces = (): ReadableStream<Uint8Array<ArrayBuffer>> =>
    new ReadableStream({
      start(controller) {
        for (const byte of [1, 2, 3]) controller.enqueue(new Uint8Array([byte]));
        controller.close();
      },
    });

  it("is collected piece by piece", async () => {
    const seen: number[] = [];
    const file = await collect(pieces(), new AbortController().signal, (bytes) => seen.push(bytes));
    expect(new Uint8Array((await file?.arrayBuffer()) ?? new ArrayBuffer(0))).toEqual(
      new Uint8Array([1, 2, 3]),
    );
    expect(seen).toEqual([1, 2, 3]);
  });

  it("is given up when it is stopped", async () => {
    const stopping = new AbortController();
    expect(await collect(pieces(), stopping.signal, () => stopping.abort())).toBeUndefined();
  });
});
