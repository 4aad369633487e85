import { framePrincipal, ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import type { InputOf, OperationName, OutputOf } from "../../src/model/shapes.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { CallContext, StreamDescription } from "../../src/service/engine-service.ts";
import { MemoryLogStore } from "../../src/storage/memory-store.ts";
import { buildBatch } from "./batches.ts";
import { numberOf, someRecords, TestEngine } from "./engines.ts";
export const STRANGER = framePrincipal("https://shop.example");
export const never = new AbortController().signal;

export async function invoke<Name extends OperationName>(
  engine: TestEngine,
  operation: Name,
  input: InputOf<Name>,
  principal = ROOT_PRINCIPAL,
): Promise<OutputOf<Name>> {
  const caller = { principal };
  const answer: unknown = await engine.service.call("invoke", { operation, input, caller });
  return answer as OutputOf<Name>;
}

export const start = (engine: TestEngine, KeyId = "alias/shop", StreamName = "clicks") =>
  invoke(engine, "StartStreamEncryption", { StreamName, EncryptionType: "KMS", KeyId });
export const stop = (engine: TestEngine, KeyId = "alias/shop", StreamName = "clicks") =>
  invoke(engine, "StopStreamEncryption", { StreamName, EncryptionType: "KMS", KeyId });

/** An engine with a key, and a stream under it. */
export async function encrypted(
  platform: VirtualPlatform = virtualPlatform(),
  options = {},
): Promise<{ engine: TestEngine; stream: StreamDescription; keyId: string }> {
  const engine = await TestEngine.open(platform, options);
  const stream = await engine.createStream("clicks", 2);
  const key = await engine.service.call("keysCreate", { alias: "alias/shop", policy: null });
  await start(engine);
  return { engine, stream, keyId: key.keyId };
}

export function storeOf(platform: VirtualPlatform): MemoryLogStore {
  return new MemoryLogStore({ disk: platform.stores.disk("test") });
}

export async function numbers(engine: TestEngine, stream: StreamDescription): Promise<number[]> {
  return (await engine.readAll(stream)).map(numberOf).sort((a, b) => a - b);
}

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

/** Puts one record as somebody. */
export async function putAs(
  engine: TestEngine,
  { uid }: StreamDescription,
  principal: string,
  batchNumber: number,
): Promise<void> {
  const batch = buildBatch({ streamUid: uid, batchNumber, records: someRecords(1), producer: 77 });
  await engine.service.put(batch, { operation: "PutRecords", caller: { principal } });
}

export async function readAs(
  engine: TestEngine,
  { uid }: StreamDescription,
  principal: string,
): Promise<void> {
  const call: CallContext = { operation: "GetRecords", caller: { principal } };
  const cursors = [{ shardIndex: 0, nextIndex: 0 }];
  const limits = { recordsMax: 10, bytesMax: 1_000_000, waitMs: 0 };
  await engine.service.read({ call, streamUid: uid, cursors, ...limits }, never);
}
