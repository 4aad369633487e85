/**
 * Segment images whose body is encrypted. The header stays in plain text, with the number of the data key
 * as its key version; it is the additional data. The XXH64 covers what is stored, so that a scrub needs no
 * key. Layout: "Encrypted segment" in `ARCHITECTURE.md`.
 */
import {
  SEGMENT_BODY_LENGTH,
  SEGMENT_HASH,
  SEGMENT_HEADER_BYTES,
  SEGMENT_IV_COUNTER,
  SEGMENT_KEY_VERSION,
} from "@millrace/core/layout";
import type { SealableSegment, ShardLogCore } from "../core/core-types.ts";
import { releaseBuffer } from "../core/release-buffer.ts";
import { readUint64, viewOf, writeUint64 } from "./bytes.ts";
import { encryptionOf } from "./data-keys.ts";
import type { LogContext } from "./log-context.ts";
import { CIPHER_BYTES, type RecordCipher, type Undecipherable } from "./record-cipher.ts";
import { segmentHash } from "./segment-image.ts";

/**
 * Data key that a segment is to be stored under, 0 for none: that of its records, whatever the stream has
 * by now, so that they go when their key goes, and not with another one. Records from before the encryption
 * began come to the disk once more here, and then under the stream's own.
 */
export function keyForSegment(
  { control, cipher }: Pick<LogContext, "control" | "cipher">,
  { streamUid, shardUid, ordinal }: SealableSegment,
): number {
  return cipher.keyOfSegment(shardUid, ordinal) ?? encryptionOf(control, streamUid)?.dataKeyId ?? 0;
}

/** Data key of a segment image, 0 for none. */
export function keyOfImage(image: Uint8Array): number {
  if (image.byteLength < SEGMENT_HEADER_BYTES) return 0;
  return viewOf(image).getUint32(SEGMENT_KEY_VERSION, true);
}

/**
 * Encrypts an image where it lies: {@link CIPHER_BYTES} longer than what the core sealed, zeros at its end. A
 * second buffer of a megabyte costs as much as encrypting one. @throws KeyLostError, StoreFailedError.
 */
export async function encryptSegment(
  core: ShardLogCore,
  cipher: RecordCipher,
  dataKeyId: number,
  image: Uint8Array,
): Promise<void> {
  const body = image.subarray(SEGMENT_HEADER_BYTES, image.byteLength - CIPHER_BYTES);
  const view = viewOf(image);
  const counter = cipher.nextCounter();
  view.setUint32(SEGMENT_KEY_VERSION, dataKeyId, true);
  writeUint64(view, SEGMENT_BODY_LENGTH, body.byteLength + CIPHER_BYTES);
  writeUint64(view, SEGMENT_IV_COUNTER, counter);
  const additional = image.slice(0, SEGMENT_HASH);
  const stretch = { dataKeyId, purpose: "segment", counter, additional } as const;
  const { salt, sealed } = await cipher.encrypt(stretch, body);
  image.set(salt, SEGMENT_HEADER_BYTES);
  image.set(sealed, SEGMENT_HEADER_BYTES + salt.byteLength);
  releaseBuffer(sealed);
  view.setBigUint64(SEGMENT_HASH, segmentHash(core, image), true);
}

/** The image as the core knows it; a new buffer. Or why that cannot be told. @throws StoreFailedError. */
export async function decryptSegment(
  core: ShardLogCore,
  cipher: RecordCipher,
  stored: Uint8Array,
): Promise<Uint8Array<ArrayBuffer> | Undecipherable> {
  const header = viewOf(stored);
  const stretch = {
    dataKeyId: header.getUint32(SEGMENT_KEY_VERSION, true),
    purpose: "segment",
    counter: readUint64(header, SEGMENT_IV_COUNTER),
    additional: stored.slice(0, SEGMENT_HASH),
  } as const;
  const body = await cipher.decrypt(stretch, stored.subarray(SEGMENT_HEADER_BYTES));
  if (typeof body === "string") return body;
  const image = new Uint8Array(SEGMENT_HEADER_BYTES + body.byteLength);
  image.set(stored.subarray(0, SEGMENT_HEADER_BYTES));
  image.set(body, SEGMENT_HEADER_BYTES);
  const view = viewOf(image);
  view.setUint32(SEGMENT_KEY_VERSION, 0, true);
  writeUint64(view, SEGMENT_BODY_LENGTH, body.byteLength);
  writeUint64(view, SEGMENT_IV_COUNTER, 0);
  view.setBigUint64(SEGMENT_HASH, segmentHash(core, image), true);
  return image;
}
