/** Ports, broadcast channels and the way to the port broker, as browsers have them. */
import type { Broadcast, Channels, Port } from "./platform.ts";

class MessagePortPort implements Port {
  readonly port: MessagePort;

  constructor(port: MessagePort) {
    this.port = port;
  }

  post(message: unknown, transfer: readonly (ArrayBuffer | Port)[] = []): void {
    const moved = transfer.map((item) => (item instanceof ArrayBuffer ? item : bare(item)));
    const body = transfer.some((item) => item instanceof MessagePortPort)
      ? bareAll(message)
      : message;
    this.port.postMessage(body, moved);
  }

  listen(listener: (message: unknown) => void): void {
    this.port.addEventListener("message", ({ data, ports }: MessageEvent<unknown>) =>
      listener(ports.length === 0 ? data : wrapAll(data)),
    );
    this.port.start();
  }

  close(): void {
    this.port.close();
  }
}

class BroadcastChannelBroadcast implements Broadcast {
  readonly #channel: BroadcastChannel;

  constructor(name: string) {
    this.#channel = new BroadcastChannel(name);
  }

  post(message: unknown): void {
    this.#channel.postMessage(message);
  }

  listen(listener: (message: unknown) => void): void {
    this.#channel.addEventListener("message", (event: MessageEvent<unknown>) =>
      listener(event.data),
    );
  }

  close(): void {
    this.#channel.close();
  }
}

/** A browser's port as the platform's; it is the platform's own from now on. */
export function portOf(port: MessagePort): Port {
  return new MessagePortPort(port);
}

function bare(port: Port): MessagePort {
  if (port instanceof MessagePortPort) return port.port;
  throw new TypeError("a port of another platform cannot be sent");
}

/** Ports travel as members of a message itself. */
function bareAll(message: unknown): unknown {
  return mapMembers(message, (value) => (value instanceof MessagePortPort ? value.port : value));
}

function wrapAll(message: unknown): unknown {
  return mapMembers(message, (value) => (value instanceof MessagePort ? portOf(value) : value));
}

function mapMembers(message: unknown, change: (value: unknown) => unknown): unknown {
  if (typeof message !== "object" || message === null) return message;
  return Object.fromEntries(Object.entries(message).map(([name, value]) => [name, change(value)]));
}

/** The browser's channels; `broker` is a port to the shared worker, when there is one. */
export function browserChannels(broker: MessagePort | undefined): Channels {
  const brokerPort = broker === undefined ? undefined : portOf(broker);
  return {
    broadcast: (name) => new BroadcastChannelBroadcast(name),
    pair: () => {
      const { port1, port2 } = new MessageChannel();
      return [portOf(port1), portOf(port2)];
    },
    broker: () => brokerPort,
  };
}
