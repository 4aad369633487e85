/** How much a producer holds: user records beyond that wait in line, until there is room or they are too old. */
import { BackpressureError, type EngineClient } from "@millrace/engine";
import type { PendingRecord } from "./pending-record.ts";

/** What an admission is made of. */
export interface AdmissionParts {
  readonly clock: EngineClient["clock"];
  readonly bytesMax: number;
  /** There is room for this one. */
  readonly onAdmit: (record: PendingRecord) => void;
  /** This one waited in vain. */
  readonly onRefuse: (record: PendingRecord, reason: BackpressureError) => void;
}

/** Counts bytes in and out. First come, first served. */
export class Admission {
  readonly #parts: AdmissionParts;
  /** In the order of their puts; those that were refused are taken out. */
  readonly #line = new Set<PendingRecord>();
  #bufferedBytes = 0;
  #waiting: (() => void)[] = [];
  #timerSet = false;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /** Bytes of data and keys that were let in and are not settled. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Lets a user record in, at once or later. */
  enter(record: PendingRecord): void {
    this.#line.add(record);
    this.#letIn();
    if (this.#line.size > 0) this.#watchHead();
  }

  /** A user record that was let in is settled. */
  leave(record: PendingRecord): void {
    this.#bufferedBytes -= record.byteLength;
    this.#letIn();
  }

  /** Resolves when a user record would not have to wait. */
  ready(): Promise<void> {
    if (this.#hasRoom()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #hasRoom(): boolean {
    return this.#line.size === 0 && this.#bufferedBytes < this.#parts.bytesMax;
  }

  #letIn(): void {
    const { bytesMax, onAdmit } = this.#parts;
    for (const record of this.#line) {
      // One that is larger than the whole room may have it for itself.
      const fits = this.#bufferedBytes + record.byteLength <= bytesMax;
      if (!fits && this.#bufferedBytes > 0) break;
      this.#line.delete(record);
      this.#bufferedBytes += record.byteLength;
      onAdmit(record);
    }
    if (!this.#hasRoom()) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Refuses those that wait when they are too old. */
  #watchHead(): void {
    const [head] = this.#line;
    if (head === undefined || this.#timerSet) return;
    const { clock } = this.#parts;
    this.#timerSet = true;
    clock.after(Math.max(0, head.expiresMs - clock.monotonicMs()), () => {
      this.#timerSet = false;
      this.#refuseOld(clock.monotonicMs());
      this.#watchHead();
    });
  }

  #refuseOld(nowMs: number): void {
    const { bytesMax, onRefuse } = this.#parts;
    for (const record of this.#line) {
      if (record.expiresMs > nowMs) break;
      this.#line.delete(record);
      const error = new BackpressureError(
        `the producer's buffers stayed full for ${record.expiresMs - record.putMs} ms; the record was not sent`,
        { argument: "bufferMaxBytes", value: record.byteLength, limit: bytesMax },
      );
      onRefuse(record, error);
    }
    this.#letIn();
  }
}
