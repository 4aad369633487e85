/** A log as one file: exported while it goes on, verified, imported whole or not at all. */
import { getEventListeners } from "node:events";
import { describe, expect, it, vi } from "vitest";
import {
  EngineExistsError,
  EngineInUseError,
  InvalidArgumentError,
} from "../../src/errors/index.ts";
import { checkArchive } from "../../src/log/archive-check.ts";
import { ArchiveWriter, encodeHeader } from "../../src/log/archive-format.ts";
import { writerLockName } from "../../src/platform/locks.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { EngineService } from "../../src/service/engine-service.ts";
import { openImporter } from "../../src/service/importer.ts";
import {
  coreModule,
  newCore,
  numberOf,
  SMALL_ENGINE,
  someRecords,
  TestEngine,
} from "../support/engines.ts";

const OPTIONS = { ...SMALL_ENGINE, name: "copy" } as const;

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

async function exported(
  service: EngineService,
  between?: () => Promise<unknown>,
): Promise<Uint8Array> {
  const { id } = await service.call("openExport", {});
  await between?.();
  const pieces: Uint8Array[] = [];
  for (let piece = 1; ; piece++) {
    const bytes = await service.call("readExport", { id, piece });
    if (bytes === null) break;
    expect(bytes.byteLength).toBeLessThanOrEqual(4_194_304);
    pieces.push(bytes);
  }
  await service.call("closeExport", { id });
  return new Uint8Array(Buffer.concat(pieces));
}

/** An engine with sealed segments and records that are in frames alone. */
async function written(platform: VirtualPlatform): Promise<TestEngine> {
  const engine = await TestEngine.open(platform);
  const stream = await engine.createStream("clicks", 2);
  for (let i = 0; i < 30; i++) await engine.put(stream, someRecords(10, 20_000, i * 10));
  return engine;
}

async function importAll(
  platform: VirtualPlatform,
  file: Uint8Array,
  pieceBytes = 100_000,
): Promise<void> {
  const importer = await openImporter(platform, await coreModule(), OPTIONS);
  try {
    for (let at = 0; at < file.byteLength; at += pieceBytes) {
      await importer.call("writeImport", { bytes: file.slice(at, at + pieceBytes) });
    }
    await importer.call("finishImport", {});
  } finally {
    await importer.close();
  }
}

async function numbersOf(engine: TestEngine): Promise<number[]> {
  const stream = await engine.service.call("describeStream", { name: "clicks" });
  return (await engine.readAll(stream)).map(numberOf).sort((a, b) => a - b);
}

async function* inPieces(file: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.byteLength; at += pieceBytes) yield file.slice(at, at + pieceBytes);
}

describe("an export", () => {
  it("is imported under another name with everything in it, as a new incarnation", async () => {
    const platform = virtualPlatform();
    const engine = await written(platform);
    const file = await exported(engine.service);
    for (const pieceBytes of [997, 1_000_000]) {
      const other = virtualPlatform({ seed: pieceBytes });
      await importAll(other, file, pieceBytes);
      const copy = await TestEngine.open(other, { name: "copy" });
      expect(await copy.service.call("dataLoss", {})).toEqual([]);
      expect(await numbersOf(copy)).toEqual(range(0, 300));
      const [from, to] = await Promise.all(
        [engine, copy].map(({ service }) => service.call("storageReport", {})),
      );
      expect(to?.incarnation).toMatch(/^[0-9a-f]{32}$/);
      expect(to?.incarnation).not.toBe(from?.incarnation);
      expect(await copy.service.call("check", {})).toMatchObject({ records: 300, damage: [] });
      const stream = await copy.service.call("describeStream", { name: "clicks" });
      await copy.put(stream, someRecords(5, 100, 300));
      expect(await numbersOf(copy)).toEqual(range(0, 305));
      await copy.service.close();
    }
    await engine.service.close();
  });

  it("holds what the log held when it began, whatever happens to it meanwhile", async () => {
    const platform = virtualPlatform();
    const engine = await written(platform);
    const disk = platform.stores.disk("test");
    const file = await exported(engine.service, async () => {
      const segments = disk.segmentKeys().length;
      expect(segments).toBeGreaterThan(0);
      await engine.service.call("deleteStream", { name: "clicks" });
      await platform.clock.advance(600_000 - 570_000);
      expect(disk.segmentKeys()).toHaveLength(segments);
    });
    await platform.clock.advance(10);
    expect(disk.segmentKeys()).toHaveLength(0);
    const other = virtualPlatform();
    await importAll(other, file);
    const copy = await TestEngine.open(other, { name: "copy" });
    expect(await numbersOf(copy)).toEqual(range(0, 300));
    await copy.service.close();
    await engine.service.close();
  });

  it("repeats its last piece, and no earlier one", async () => {
    const engine = await written(virtualPlatform());
    const { id } = await engine.service.call("openExport", {});
    const first = await engine.service.call("readExport", { id, piece: 1 });
    const again = await engine.service.call("readExport", { id, piece: 1 });
    expect(Buffer.compare(again ?? new Uint8Array(0), first ?? new Uint8Array(1))).toBe(0);
    await engine.service.call("readExport", { id, piece: 2 });
    await expect(engine.service.call("readExport", { id, piece: 1 })).rejects.toMatchObject({
      code: "ResourceNotFoundException",
    });
    await expect(engine.service.call("readExport", { id, piece: 3 })).rejects.toMatchObject({
      code: "ResourceNotFoundException",
    });
    await engine.service.close();
  });

  it("is over when nobody reads it for a minute", async () => {
    const platform = virtualPlatform();
    const engine = await written(platform);
    const { id } = await engine.service.call("openExport", {});
    await platform.clock.advance(59_000);
    await engine.service.call("readExport", { id, piece: 1 });
    await platform.clock.advance(61_000);
    await expect(engine.service.call("readExport", { id, piece: 2 })).rejects.toMatchObject({
      code: "ResourceNotFoundException",
    });
    await engine.service.close();
  });

  it("leaves nothing behind at its engine", async () => {
    const { service } = await written(virtualPlatform());
    const listening = vi.spyOn(EventTarget.prototype, "addEventListener");
    await exported(service);
    const targets = new Set<unknown>(listening.mock.contexts);
    listening.mockRestore();
    const signals = [...targets].filter((target) => target instanceof AbortSignal);
    expect(signals).not.toEqual([]);
    for (const signal of signals) expect(getEventListeners(signal, "abort")).toEqual([]);
    await service.close();
  });

  it("of an engine in memory is refused", async () => {
    const engine = await TestEngine.open(virtualPlatform({ recoverable: false }), {
      storage: "memory",
    });
    await expect(engine.service.call("openExport", {})).rejects.toMatchObject({
      argument: "storage",
    });
    await engine.service.close();
  });
});

describe("an exported file", () => {
  it("is found whole by a check, however it is cut into pieces", async () => {
    const engine = await written(virtualPlatform());
    const file = await exported(engine.service);
    for (const pieceBytes of [1000, 65_536, file.byteLength]) {
      const report = await checkArchive(await newCore(), inPieces(file, pieceBytes));
      expect(report).toMatchObject({ records: 300, damage: [] });
      expect(report.header?.incarnation).toBe(
        (await engine.service.call("storageReport", {})).incarnation,
      );
    }
    await engine.service.close();
  });

  it("is found damaged wherever a byte of it is another one, and never imported", async () => {
    const engine = await written(virtualPlatform());
    const file = await exported(engine.service);
    await engine.service.close();
    const core = await newCore();
    let found = 0;
    for (let i = 0; i < 60; i++) {
      const at = Math.floor((i / 60) * file.byteLength) + (i % 7);
      const damaged = file.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      const report = await checkArchive(core, inPieces(damaged, 1_000_000));
      // Padding behind a payload is the only thing that nothing depends on.
      if (report.damage.length === 0) continue;
      found++;
      const platform = virtualPlatform();
      if (i % 10 === 0) {
        await expect(importAll(platform, damaged)).rejects.toBeInstanceOf(InvalidArgumentError);
        expect(platform.stores.disk("copy").frameNumbers()).toEqual([]);
        expect(platform.stores.disk("copy").segmentKeys()).toEqual([]);
      }
    }
    expect(found).toBeGreaterThan(55);
  });

  it("is not imported when it ends too early, or goes on behind its end", async () => {
    const engine = await written(virtualPlatform());
    const file = await exported(engine.service);
    await engine.service.close();
    for (const cut of [0, 10, 64, 200, file.byteLength >> 1, file.byteLength - 1]) {
      const platform = virtualPlatform();
      const part = file.slice(0, cut);
      await expect(importAll(platform, part)).rejects.toBeInstanceOf(InvalidArgumentError);
      expect(platform.stores.disk("copy").frameNumbers()).toEqual([]);
      expect((await checkArchive(await newCore(), inPieces(part, 50_000))).damage).not.toEqual([]);
    }
    const longer = new Uint8Array([...file, 0]);
    await expect(importAll(virtualPlatform(), longer)).rejects.toBeInstanceOf(InvalidArgumentError);
  });
});

describe("an import", () => {
  it("goes only into an engine that does not exist, and that nobody has open", async () => {
    const platform = virtualPlatform();
    const engine = await written(platform);
    const file = await exported(engine.service);
    await engine.service.close();
    await importAll(platform, file);
    await expect(importAll(platform, file)).rejects.toBeInstanceOf(EngineExistsError);
    const copy = await TestEngine.open(platform, { name: "copy" });
    expect(await numbersOf(copy)).toEqual(range(0, 300));
    await expect(importAll(platform, file)).rejects.toBeInstanceOf(EngineInUseError);
    await copy.service.close();
    const lock = await platform.locks.tryAcquire(writerLockName("copy"));
    expect(lock).toBeDefined();
  });

  it("takes no frame whose number its header does not cover", async () => {
    const core = await newCore();
    const hash = (bytes: Uint8Array): bigint => core.xxh64(bytes);
    const header = { incarnation: "0".repeat(32), timeMs: 0, epoch: 1, throughFrame: 2 };
    for (const frameNumber of [0, 1.5, 3, -1]) {
      const writer = new ArchiveWriter(hash);
      const bytes = new Uint8Array(64);
      const file = Buffer.concat([
        encodeHeader(header, hash),
        writer.entry({ kind: "frame", frameNumber, bytes }),
        bytes,
        writer.trailer(0),
      ]);
      const platform = virtualPlatform();
      await expect(importAll(platform, file)).rejects.toBeInstanceOf(InvalidArgumentError);
      expect(platform.stores.disk("copy").frameNumbers()).toEqual([]);
    }
  });

  it("that died on the way leaves nothing, wherever it died", async () => {
    const engine = await written(virtualPlatform());
    const file = await exported(engine.service);
    await engine.service.close();
    for (const part of [0.01, 0.3, 0.7, 0.99, 1]) {
      const platform = virtualPlatform();
      const importer = await openImporter(platform, await coreModule(), OPTIONS);
      await importer.call("writeImport", {
        bytes: file.slice(0, Math.floor(file.byteLength * part)),
      });
      expect(platform.stores.disk("copy").frameNumbers().length).toBeGreaterThan(0);
      // The process is gone: nobody closes it.
      const next = platform.restart();
      const copy = await TestEngine.open(next, { name: "copy" });
      expect(await copy.service.call("listStreams", {})).toEqual([]);
      expect(await copy.service.call("dataLoss", {})).toEqual([]);
      expect(next.stores.disk("copy").segmentKeys()).toEqual([]);
      await copy.service.close();
    }
  });

  it("that was finished stays so, although a power cut brings its marker back", async () => {
    const engine = await written(virtualPlatform());
    const file = await exported(engine.service);
    await engine.service.close();
    const platform = virtualPlatform();
    await importAll(platform, file);
    expect(platform.stores.disk("copy").powerCut()).toBeGreaterThan(0);
    expect(platform.stores.disk("copy").frameNumbers()[0]).toBe(0);
    for (let i = 0; i < 2; i++) {
      const copy = await TestEngine.open(platform.restart(), { name: "copy" });
      expect(await numbersOf(copy)).toEqual(range(0, 300));
      expect(await copy.service.call("dataLoss", {})).toEqual([]);
      await copy.service.close();
    }
  });

  it("does nothing else meanwhile", async () => {
    const importer = await openImporter(virtualPlatform(), await coreModule(), OPTIONS);
    await expect(importer.call("listStreams", {})).rejects.toMatchObject({ argument: "operation" });
    await expect(importer.put(new ArrayBuffer(8))).rejects.toBeInstanceOf(Error);
    await importer.close();
    await importer.close();
  });
});
