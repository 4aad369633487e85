/** Logs with encrypted streams, and what they wrote. */
import { SECTION_RECORDS } from "@millrace/core/layout";
import { StreamKeys } from "../../src/keys/stream-keys.ts";
import { type DecodedFrame, decodeFrame, encodeFrame } from "../../src/log/wal-frame.ts";
import type { KeyVault } from "../../src/platform/platform.ts";
import type { VirtualPlatform } from "../../src/platform/virtual-platform.ts";
import { MemoryLogStore } from "../../src/storage/memory-store.ts";
import { newCore } from "./engines.ts";
import { TestLog } from "./logs.ts";
import { numberOf } from "./records.ts";
export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

export function storeOf(platform: VirtualPlatform): MemoryLogStore {
  return new MemoryLogStore({ disk: platform.stores.disk("test") });
}

export async function keysOf(log: TestLog): Promise<StreamKeys> {
  return new StreamKeys(log.log, await log.platform.vaults.open("test"));
}

/** Gives a stream a new data key; its number. */
export async function encrypt(log: TestLog, name = "clicks"): Promise<number> {
  const keys = await keysOf(log);
  const dataKeyId = await keys.create();
  const { uid } = log.stream(name);
  const encryption = { masterKeyId: "a key", keyName: "alias/a", dataKeyId };
  await log.log.change(keys.starting(uid, encryption, log.platform.clock.nowMs()));
  return dataKeyId;
}

export async function stopEncrypting(log: TestLog, name = "clicks"): Promise<void> {
  await log.log.change((await keysOf(log)).stopping(log.stream(name).uid));
}

export async function shred(log: TestLog, name = "clicks"): Promise<void> {
  const keys = await keysOf(log);
  await log.log.change(keys.destroying(keys.ofStream(log.stream(name).uid)));
  await keys.erase();
}

export async function numbers(log: TestLog, name = "clicks"): Promise<number[]> {
  const { records } = await log.readAll(name);
  return records.map(numberOf).sort((a, b) => a - b);
}

/** The calls of a vault, to be replaced one by one. */
export function bound(vault: KeyVault): KeyVault {
  return {
    createKey: (dataKeyId) => vault.createKey(dataKeyId),
    keyIds: () => vault.keyIds(),
    cipher: (dataKeyId, salt, purpose) => vault.cipher(dataKeyId, salt, purpose),
    destroyKey: (dataKeyId) => vault.destroyKey(dataKeyId),
    close: () => vault.close(),
  };
}

/** Opens the log as the next leader would, checks what it reads, and that it takes records. */
export async function reopened(platform: VirtualPlatform, options = {}): Promise<TestLog> {
  return await TestLog.open(platform.restart(), options);
}

export async function framesOf(platform: VirtualPlatform): Promise<DecodedFrame[]> {
  const core = await newCore();
  const store = storeOf(platform);
  const frames: DecodedFrame[] = [];
  for (const frameNumber of await store.frameNumbers()) {
    const frame = decodeFrame(core, (await store.readFrame(frameNumber)) ?? new Uint8Array());
    if (!("damaged" in frame)) frames.push(frame);
  }
  return frames;
}

/** Frames with encrypted records, and how many of them. */
export async function encryptedFrames(platform: VirtualPlatform): Promise<DecodedFrame[]> {
  return (await framesOf(platform)).filter(({ sections }) =>
    sections.some(({ type, keyId }) => type === SECTION_RECORDS && keyId !== 0),
  );
}

/** Puts other sections into a frame, with a hash that is right. */
export async function rewrite(
  platform: VirtualPlatform,
  frame: DecodedFrame,
  change: (sections: DecodedFrame["sections"]) => DecodedFrame["sections"],
): Promise<void> {
  const sections = change(frame.sections).map(({ payload, ...section }) => ({
    ...section,
    pieces: [payload],
  }));
  const { bytes } = encodeFrame(await newCore(), frame, sections);
  platform.stores.disk("test").overwriteFrame(frame.frameNumber, bytes);
}
