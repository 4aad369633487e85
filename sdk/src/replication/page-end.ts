/**
 * The last records of a page: what is on its way and what waits, as far as a browser sends it when the page is gone.
 * Nothing counts as sent: whoever goes on sends it again, and consumers drop the repeats by their marks.
 */
import type { LeavingTarget, PutTarget, TargetRecord } from "../producer/put-target.ts";
import type { NetworkWatch } from "./network.ts";
import type { Shipper } from "./shipper.ts";

/** Of the 64 KiB that a browser sends for a page that is gone: data, which may go as base64. */
const BYTES_MAX = 45_000;
/** About what an entry takes in a call besides its data. */
const ENTRY_BYTES = 200;

/** What the page's end is made ready with. */
export interface PageEndParts {
  readonly target: PutTarget;
  readonly shipper: Shipper;
  readonly network: NetworkWatch;
}

/** See above. */
export class PageEnd {
  readonly #parts: PageEndParts;
  #leaving: LeavingTarget | undefined;
  #opening = false;
  #closed = false;
  readonly #stop: () => void;

  constructor(parts: PageEndParts) {
    this.#parts = parts;
    this.#stop = parts.network.onLeave(() => this.#leave());
  }

  /** Makes ready, once the far side answers. Failures show in the ordinary calls. */
  async prepare(): Promise<void> {
    const { target } = this.#parts;
    if (this.#opening || this.#closed || target.openLeaving === undefined) return;
    this.#opening = true;
    try {
      const leaving = await target.openLeaving();
      if (this.#closed) leaving.close();
      else this.#leaving = leaving;
    } catch {
      this.#opening = false;
    }
  }

  /** Sends nothing at the page's end any more. */
  close(): void {
    this.#closed = true;
    this.#stop();
    this.#leaving?.close();
  }

  /** Sends one aggregate per shard, which begins with what is under way: none of its records may be left out. */
  #leave(): void {
    const { shipper, network } = this.#parts;
    if (this.#leaving === undefined || shipper.state !== "running" || !network.online()) return;
    const entries: TargetRecord[] = [];
    let left = BYTES_MAX;
    for (const lane of shipper.lanes.all) {
      if (lane.place.range === undefined) continue;
      const entry = lane.aggregateOf(lane.peek(), left - ENTRY_BYTES);
      if (entry === undefined) continue;
      entries.push(entry.target);
      left -= entry.byteLength + ENTRY_BYTES;
    }
    if (entries.length > 0) this.#leaving.put(entries);
  }
}
