/**
 * The port broker: knows who leads which engine, hands ports over to the leaders, and keeps what tabs leave
 * behind until a leader has taken it. It trusts nothing that it is sent, for it serves pages of every build.
 */
import type { Clock, Port } from "../platform/platform.ts";
import type { FromBroker, KeptBatch, ToBroker } from "./broker-protocol.ts";
import { isObject, isPort } from "./messages.ts";

/** Ports of one engine that wait for a leader; of more, the oldest is closed, for its context tries again. */
const WAITING_MAX = 64;

/** Batches that a tab left behind, and when by both clocks. */
interface Kept {
  readonly batches: readonly KeptBatch[];
  readonly atMs: number;
  readonly monotonicMs: number;
}

/** What the broker knows of one engine. */
interface Brokered {
  epoch: number;
  leader: Port | undefined;
  /** Ports that came while nobody led. */
  waiting: Port[];
  readonly kept: Map<number, Kept>;
}

function isMessage(message: unknown): message is ToBroker {
  return (
    isObject(message) &&
    "broker" in message &&
    message.broker === 1 &&
    "engine" in message &&
    typeof message.engine === "string"
  );
}

/** Brokers ports between contexts; one per origin and name of the shared worker. */
export class PortBroker {
  readonly #clock: Pick<Clock, "nowMs" | "monotonicMs">;
  readonly #engines = new Map<string, Brokered>();
  #lastId = 0;

  constructor(clock: Pick<Clock, "nowMs" | "monotonicMs">) {
    this.#clock = clock;
  }

  /** Serves one more context, for as long as its port lives. */
  connect(port: Port): void {
    port.listen((message) => {
      if (isMessage(message)) this.#take(port, message);
    });
  }

  #take(from: Port, message: ToBroker): void {
    const engine = this.#engine(message.engine);
    switch (message.kind) {
      case "lead":
        if (!Number.isSafeInteger(message.epoch) || message.epoch < engine.epoch) return;
        engine.epoch = message.epoch;
        engine.leader = from;
        for (const port of engine.waiting.splice(0)) this.#connect(message.engine, engine, port);
        for (const id of engine.kept.keys()) this.#give(message.engine, id);
        return;
      case "resign":
        if (engine.leader !== from) return;
        engine.leader = undefined;
        // The log may have been cleared, and begin at its first epoch again.
        engine.epoch = 0;
        return;
      case "connect":
        if (isPort(message.port)) this.#connect(message.engine, engine, message.port);
        return;
      case "keep":
        this.#lastId += 1;
        if (Array.isArray(message.batches)) this.#keep(engine, message.batches);
        this.#give(message.engine, this.#lastId);
        return;
      case "kept-settled":
        engine.kept.delete(message.id);
        return;
    }
  }

  #connect(name: string, { leader, waiting }: Brokered, port: Port): void {
    if (leader === undefined) {
      waiting.push(port);
      if (waiting.length > WAITING_MAX) waiting.shift()?.close();
      return;
    }
    const message: FromBroker = { broker: 1, kind: "connection", engine: name, port };
    leader.post(message, [port]);
  }

  #keep({ kept }: Brokered, batches: readonly KeptBatch[]): void {
    const clock = this.#clock;
    kept.set(this.#lastId, {
      batches: batches.filter(isObject),
      atMs: clock.nowMs(),
      monotonicMs: clock.monotonicMs(),
    });
  }

  #give(name: string, id: number): void {
    const engine = this.#engine(name);
    const kept = engine.kept.get(id);
    if (engine.leader === undefined || kept === undefined) return;
    const { atMs, monotonicMs } = kept;
    // The older a batch, the less a leader that does not know its producer may believe it to be new.
    const lainMs = Math.max(0, this.#clock.nowMs() - atMs, this.#clock.monotonicMs() - monotonicMs);
    const batches = kept.batches.map((batch) => ({ ...batch, ageMs: (batch.ageMs ?? 0) + lainMs }));
    const message: FromBroker = { broker: 1, kind: "kept", engine: name, id, batches };
    engine.leader.post(message);
  }

  #engine(name: string): Brokered {
    const known = this.#engines.get(name);
    if (known !== undefined) return known;
    const engine: Brokered = { epoch: 0, leader: undefined, waiting: [], kept: new Map() };
    this.#engines.set(name, engine);
    return engine;
  }
}
