/**
 * Channels among the contexts of one simulated machine: entangled ports, broadcast channels and a way to
 * the port broker. Every message is cloned when it is sent and handed over by a hook, so that a simulation
 * decides when it arrives, whether it arrives, how often, and in which order.
 */
import type { Broadcast, Channels, Port } from "./platform.ts";

/** What is known of a message that waits to be handed over. */
export interface Delivery {
  /** Context that sent it. */
  readonly from: string;
  /** Context that has the other end now; a port that is on its way itself has the sender's. */
  readonly to: string;
  readonly kind: "port" | "broadcast";
  /** Which pair of ports and direction, or which broadcast channel, sender and receiver: order holds within one. */
  readonly channel: string;
}

/**
 * Hands a message over: calls `task` now or later, once, never or several times. A call for a context that
 * was killed meanwhile does nothing.
 */
export type Deliver = (task: () => void, delivery: Delivery) => void;

/** Context under which the port broker runs. */
export const BROKER_OWNER = "broker";

/** One end of a pair; it stays the same while the port that stands for it is handed from context to context. */
class PortEnd {
  readonly channel: string;
  owner: string;
  other: PortEnd | undefined;
  listener: ((message: unknown) => void) | undefined;
  closed = false;
  #early: unknown[] = [];

  constructor(channel: string, owner: string) {
    this.channel = channel;
    this.owner = owner;
  }

  take(message: unknown): void {
    if (this.closed) return;
    if (this.listener === undefined) this.#early.push(message);
    else this.listener(message);
  }

  listen(listener: (message: unknown) => void): void {
    this.listener = listener;
    const early = this.#early;
    this.#early = [];
    for (const message of early) this.take(message);
  }
}

class VirtualPort implements Port {
  readonly end: PortEnd;
  readonly #network: VirtualNetwork;
  /** Whether this port was handed on, and another one stands for the end now. */
  #moved = false;

  constructor(network: VirtualNetwork, end: PortEnd) {
    this.#network = network;
    this.end = end;
  }

  post(message: unknown, transfer: readonly (ArrayBuffer | Port)[] = []): void {
    if (!this.#moved) this.#network.send(this.end, message, transfer);
  }

  listen(listener: (message: unknown) => void): void {
    if (!this.#moved) this.end.listen((message) => listener(message));
  }

  close(): void {
    if (!this.#moved) this.end.closed = true;
  }

  /** Takes the end away from this port. */
  move(): PortEnd {
    if (this.#moved) throw new DOMException("the port was transferred before", "DataCloneError");
    this.#moved = true;
    return this.end;
  }
}

class VirtualBroadcast implements Broadcast {
  readonly name: string;
  readonly owner: string;
  listener: ((message: unknown) => void) | undefined;
  closed = false;
  readonly #network: VirtualNetwork;

  constructor(network: VirtualNetwork, name: string, owner: string) {
    this.#network = network;
    this.name = name;
    this.owner = owner;
  }

  post(message: unknown): void {
    if (!this.closed) this.#network.shout(this, message);
  }

  listen(listener: (message: unknown) => void): void {
    this.listener = listener;
  }

  close(): void {
    this.closed = true;
    this.#network.forget(this);
  }
}

/** What a message becomes on its way: clones, and the ends of the ports that travel with it. */
interface Parcel {
  readonly body: unknown;
  readonly ends: ReadonlyMap<string, PortEnd>;
}

/** Clones a message. Ports that travel must be members of the message itself, as in all our protocols. */
function pack(message: unknown, transfer: readonly (ArrayBuffer | Port)[]): Parcel {
  const buffers = transfer.filter((item) => item instanceof ArrayBuffer);
  const ends = new Map<string, PortEnd>();
  if (typeof message !== "object" || message === null) {
    return { body: structuredClone(message, { transfer: buffers }), ends };
  }
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message)) {
    if (!(value instanceof VirtualPort)) plain[name] = value;
    else if (transfer.includes(value)) ends.set(name, value.move());
    else throw new DOMException(`${name}: a port is not in the transfer list`, "DataCloneError");
  }
  return { body: structuredClone(plain, { transfer: buffers }), ends };
}

/** All channels of one simulated machine. */
export class VirtualNetwork {
  readonly #deliver: Deliver;
  readonly #dead = new Set<string>();
  readonly #broadcasts = new Set<VirtualBroadcast>();
  readonly #brokerPorts = new Map<string, Port>();
  readonly #gates = new Map<string, (task: () => void) => void>();
  #broker: ((port: Port) => void) | undefined;
  #pairs = 0;

  /** Messages arrive in a microtask, each once and in order, unless `deliver` says otherwise. */
  constructor(deliver: Deliver = (task) => queueMicrotask(task)) {
    this.#deliver = deliver;
  }

  /** The channels as one context has them. */
  of(owner: string): Channels {
    return {
      broadcast: (name) => this.#open(name, owner),
      pair: () => this.#pair(owner, owner),
      broker: () => this.#brokerPort(owner),
    };
  }

  /**
   * Starts the broker: `connect` gets one end of a pair for every context that asks for the broker, as in
   * `startBroker((port) => broker.connect(port))` over a `PortBroker`. Contexts that asked before keep none.
   */
  startBroker(connect: (port: Port) => void): void {
    this.#dead.delete(BROKER_OWNER);
    this.#broker = connect;
    this.#brokerPorts.clear();
  }

  /** Ends the broker: ports to it stay there and lead nowhere, as when a shared worker crashes. */
  stopBroker(): void {
    this.kill(BROKER_OWNER);
  }

  /**
   * Ends a context: it sends and hears nothing any more. What it has sent before still arrives.
   * The other ends of its ports stay silent for ever, without any event, as in browsers.
   */
  kill(owner: string): void {
    this.#dead.add(owner);
    this.#brokerPorts.delete(owner);
    for (const broadcast of this.#broadcasts) {
      if (broadcast.owner === owner) this.forget(broadcast);
    }
  }

  /** Lets everything that arrives for a context through a gate, which may hold it back while the context is frozen. */
  gate(owner: string, gate: (task: () => void) => void): void {
    this.#gates.set(owner, gate);
  }

  /** Whether a context was killed. */
  isDead(owner: string): boolean {
    return this.#dead.has(owner);
  }

  /** Sends a message from an end to the other one. */
  send(from: PortEnd, message: unknown, transfer: readonly (ArrayBuffer | Port)[]): void {
    const to = from.other;
    const { owner } = from;
    if (this.#dead.has(owner)) return;
    // Also what goes nowhere is taken from the sender.
    const parcel = pack(message, transfer);
    if (from.closed || to === undefined) return;
    this.#deliver(() => this.#arrive(parcel, to.owner, (unpacked) => to.take(unpacked)), {
      ...{ from: owner, to: to.owner, kind: "port", channel: from.channel },
    });
  }

  /** Sends a message to all other broadcast channels of the name. */
  shout(from: VirtualBroadcast, message: unknown): void {
    if (this.#dead.has(from.owner)) return;
    for (const to of this.#broadcasts) {
      if (to === from || to.name !== from.name) continue;
      const parcel = pack(message, []);
      const channel = `${from.name}/${from.owner}/${to.owner}`;
      const hear = (unpacked: unknown): void => {
        if (!to.closed) to.listener?.(unpacked);
      };
      this.#deliver(() => this.#arrive(parcel, to.owner, hear), {
        ...{ from: from.owner, to: to.owner, kind: "broadcast", channel },
      });
    }
  }

  /** Takes a broadcast channel out. */
  forget(broadcast: VirtualBroadcast): void {
    this.#broadcasts.delete(broadcast);
  }

  #open(name: string, owner: string): Broadcast {
    const broadcast = new VirtualBroadcast(this, name, owner);
    if (!this.#dead.has(owner)) this.#broadcasts.add(broadcast);
    return broadcast;
  }

  #pair(left: string, right: string): readonly [Port, Port] {
    this.#pairs += 1;
    const a = new PortEnd(`${this.#pairs}a`, left);
    const b = new PortEnd(`${this.#pairs}b`, right);
    a.other = b;
    b.other = a;
    return [new VirtualPort(this, a), new VirtualPort(this, b)];
  }

  #brokerPort(owner: string): Port | undefined {
    const known = this.#brokerPorts.get(owner);
    if (known !== undefined || this.#broker === undefined) return known;
    const [own, brokers] = this.#pair(owner, BROKER_OWNER);
    this.#brokerPorts.set(owner, own);
    this.#broker(brokers);
    return own;
  }

  #arrive(parcel: Parcel, owner: string, take: (message: unknown) => void): void {
    const gate = this.#gates.get(owner);
    if (gate === undefined) this.#hand(parcel, owner, take);
    else gate(() => this.#hand(parcel, owner, take));
  }

  /** Ports that travelled belong to the receiver from now on. */
  #hand({ body, ends }: Parcel, owner: string, take: (message: unknown) => void): void {
    if (this.#dead.has(owner)) return;
    if (ends.size === 0) {
      take(body);
      return;
    }
    const message: Record<string, unknown> = { ...(body as object) };
    for (const [name, end] of ends) {
      end.owner = owner;
      message[name] = new VirtualPort(this, end);
    }
    take(message);
  }
}
