/**
 * Holds what was promised against what is there: earlier visits' promises, what was found at opening,
 * and full reads on demand.
 */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import { forgetWitness, readWitness, type Witness, writeWitness } from "../live/witness.ts";
import type { OpenEngine } from "./engine-controller.ts";
import { type Recount, RecountController } from "./recount-controller.ts";

const HOUR_MS = 3_600_000;

/** Keeps the accounts of one stream. */
export class LedgerController implements ReactiveController {
  readonly #acknowledged: () => number;
  readonly #opening: RecountController;
  readonly #fullRead: RecountController;
  readonly #leaving = (): void => this.keepWitness();
  #engine: OpenEngine | undefined;
  #witness: Witness | undefined;
  #fullReadExpected = 0;

  /** `acknowledged` answers how many records have been acknowledged to this page so far. */
  constructor(host: ReactiveControllerHost, acknowledged: () => number) {
    this.#acknowledged = acknowledged;
    this.#opening = new RecountController(host);
    this.#fullRead = new RecountController(host);
    host.addController(this);
  }

  /** Count of the records that were there at opening. */
  get opening(): Recount {
    return this.#opening.state;
  }

  /** The last full read. */
  get fullRead(): Recount {
    return this.#fullRead.state;
  }

  /** Records acknowledged in all when the last full read began. */
  get fullReadExpected(): number {
    return this.#fullReadExpected;
  }

  /**
   * Records that earlier visits had been told of; undefined when the page does not remember, or when
   * the stream is so old that retention may have dropped some.
   */
  get promised(): number | undefined {
    const witness = this.#witness;
    return witness === undefined || this.#mayHaveExpired(witness.createdMs)
      ? undefined
      : witness.acknowledged;
  }

  /** Records found at opening; undefined until they are counted. */
  get found(): number | undefined {
    const { opening } = this;
    return opening.phase === "done" ? opening.records : undefined;
  }

  /** Opens the accounts of this engine's stream and counts what it holds. */
  attach(engine: OpenEngine): void {
    this.#engine = engine;
    // A witness of another stream stays in force: then the log that it speaks of is gone.
    this.#witness = readWitness();
    this.#fullRead.reset();
    // Read after the witness: another tab may have put records and noted them meanwhile.
    void this.#opening.count(engine.stream, { beforeMs: Date.now() });
  }

  hostConnected(): void {
    addEventListener("pagehide", this.#leaving);
  }

  hostDisconnected(): void {
    removeEventListener("pagehide", this.#leaving);
  }

  /** Reads everything again and counts it. */
  readAll(): void {
    const engine = this.#engine;
    if (engine === undefined) return;
    // What retention may have dropped cannot be expected.
    const { createdMs } = engine.stream.description;
    const earlier = this.#mayHaveExpired(createdMs) ? 0 : (this.found ?? 0);
    this.#fullReadExpected = earlier + this.#acknowledged();
    void this.#fullRead.count(engine.stream);
  }

  /** Stops a full read. */
  stopReading(): void {
    this.#fullRead.stop();
  }

  /** Stops the count at opening. */
  stopOpening(): void {
    this.#opening.stop();
  }

  /** Notes what the page has been told of, for the next visit. */
  keepWitness(): void {
    const engine = this.#engine;
    if (engine === undefined) return;
    const { createdMs } = engine.stream.description;
    const promised = this.#witness?.createdMs === createdMs ? this.#witness.acknowledged : 0;
    const earlier = Math.max(promised, this.found ?? 0);
    const known = readWitness();
    // Another tab may know of more.
    const others = known?.createdMs === createdMs ? known.acknowledged : 0;
    const acknowledged = Math.max(others, earlier + this.#acknowledged());
    writeWitness({ createdMs, acknowledged });
  }

  /** Closes the accounts: what they speak of is about to be deleted on purpose. */
  forget(): void {
    this.#engine = undefined;
    this.#witness = undefined;
    forgetWitness();
  }

  #mayHaveExpired(createdMs: number): boolean {
    const description = this.#engine?.stream.description;
    return (
      description !== undefined && Date.now() - createdMs > description.retentionHours * HOUR_MS
    );
  }
}
