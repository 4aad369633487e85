/**
 * Which data key the records of a stream are encrypted with, and what became of data keys: documents of
 * the control state that the log itself must understand. Master keys and who may use them are the
 * business of `keys/`.
 */
import type { ControlRecord, DocumentValue } from "./control-records.ts";

/** The document `stream/<uid>/encryption`; a stream without it is not encrypted. */
export interface StreamEncryption {
  /** Id of the master key. */
  readonly masterKeyId: string;
  /** The key as whoever began the encryption named it. */
  readonly keyName: string;
  /** Data key that records are encrypted with from the next section on. */
  readonly dataKeyId: number;
}

/** Where a data key was last used in one shard. */
export interface LastUse {
  readonly shardUid: number;
  /** Ordinal of the last segment that may hold records under it. */
  readonly ordinal: number;
}

/** The document `data-key/<id>`, which stays for as long as the vault may have the key. */
export interface DataKeyDocument {
  readonly streamUid: number;
  readonly masterKeyId: string;
  /**
   * "active" encrypts; "retired" decrypts only; "destroyed" is gone or about to be, and was so decided:
   * what it encrypted is deleted, and no loss.
   */
  readonly state: "active" | "retired" | "destroyed";
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
  /** Where it was last used; of retired keys, and of those that were destroyed because nothing of it is left. */
  readonly lastUses?: readonly LastUse[];
}

/** What reads documents. */
export interface DocumentReader {
  document(key: string): DocumentValue | undefined;
}

/** Prefix of the documents of all data keys. */
export const DATA_KEY_PREFIX = "data-key/";
const ENCRYPTION_KEY = /^stream\/(\d+)\/encryption$/;
/** Document that holds the highest number that a data key ever had: numbers are never used again. */
export const LAST_DATA_KEY = "last-data-key";

/** Key of a stream's encryption document. */
export function encryptionKey(streamUid: number): string {
  return `stream/${streamUid}/encryption`;
}

/** Uids of the streams whose encryption control records change. */
export function encryptionChanges(records: readonly ControlRecord[]): number[] {
  return records.flatMap((record) => {
    if (record.kind !== "document-put" && record.kind !== "document-deleted") return [];
    const uid = ENCRYPTION_KEY.exec(record.key)?.[1];
    return uid === undefined ? [] : [Number(uid)];
  });
}

/** Key of a data key's document. */
export function dataKeyKey(dataKeyId: number): string {
  return `${DATA_KEY_PREFIX}${dataKeyId}`;
}

/** How a stream is encrypted; undefined when it is not. */
export function encryptionOf(
  control: DocumentReader,
  streamUid: number,
): StreamEncryption | undefined {
  // Whoever puts the document writes this type.
  return control.document(encryptionKey(streamUid)) as StreamEncryption | undefined;
}

/** What is known of a data key. */
export function dataKeyOf(control: DocumentReader, dataKeyId: number): DataKeyDocument | undefined {
  // As above; optional members make it no JSON value to the compiler.
  const value: unknown = control.document(dataKeyKey(dataKeyId));
  return value as DataKeyDocument | undefined;
}

/** Whether a data key was given up on purpose. */
export function isDestroyed(control: DocumentReader, dataKeyId: number): boolean {
  return dataKeyOf(control, dataKeyId)?.state === "destroyed";
}
