/**
 * Documents: JSON values under keys in the control state, for what the log need not understand.
 *
 * Reading is immediate. Writing gives control records, so that a caller commits them together with
 * whatever else one decision changes.
 */
import type { ControlRecord, DocumentValue } from "../log/control-records.ts";
import type { Log } from "../log/log.ts";

/** Key under which something about a stream is kept; all of them go with the stream. */
export function streamKey(streamUid: number, name: string): string {
  return `stream/${streamUid}/${name}`;
}

/** Key prefix of everything about a stream. */
export function streamPrefix(streamUid: number): string {
  return `stream/${streamUid}/`;
}

/** The documents of one log. */
export class Documents {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** The value under a key. Its type is the caller's knowledge: whoever owns a key writes it. */
  get<Value>(key: string): Value | undefined {
    return this.#log.control.document(key) as Value | undefined;
  }

  /** Keys that begin with a prefix, in ascending order. */
  keys(prefix: string): string[] {
    return this.#log.control.documentKeys(prefix);
  }

  /** The record that puts a value under a key. */
  putting(key: string, value: DocumentValue): ControlRecord {
    return { kind: "document-put", key, value };
  }

  /** The record that removes a key. */
  deleting(key: string): ControlRecord {
    return { kind: "document-deleted", key };
  }

  /** The records that remove all keys of a prefix. */
  deletingAll(prefix: string): ControlRecord[] {
    return this.keys(prefix).map((key) => this.deleting(key));
  }
}
