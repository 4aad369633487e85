/** The port broker, over virtual channels. */
import { describe, expect, it } from "vitest";
import type { FromBroker, ToBroker } from "../../src/leader/broker-protocol.ts";
import { PortBroker } from "../../src/leader/port-broker.ts";
import type { Port } from "../../src/platform/platform.ts";
import { VirtualNetwork } from "../../src/platform/virtual-channels.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { batchOf, Tabs } from "../support/members.ts";

type Plain<Message> = Message extends unknown ? Omit<Message, "broker"> : never;

/** A context that writes down what the broker sends it. */
class Client {
  readonly heard: FromBroker[] = [];
  readonly port: Port;

  constructor(network: VirtualNetwork, owner: string) {
    const port = network.of(owner).broker();
    if (port === undefined) throw new Error("there is no broker");
    this.port = port;
    port.listen((message) => this.heard.push(message as FromBroker));
  }

  say(message: Plain<ToBroker>, transfer: Port[] = []): void {
    this.port.post({ broker: 1, ...message }, transfer);
  }
}

function startBroker(clock = new VirtualClock(0)): VirtualNetwork {
  const network = new VirtualNetwork();
  const broker = new PortBroker(clock);
  network.startBroker((port) => broker.connect(port));
  return network;
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

describe("the port broker", () => {
  it("hands ports to the leader, those that came before it too", async () => {
    const network = startBroker();
    const leader = new Client(network, "leader");
    const other = new Client(network, "other");
    const answers: unknown[] = [];
    const connect = (name: string): void => {
      const [own, given] = network.of("other").pair();
      own.listen((message) => answers.push(message));
      own.post(name);
      other.say({ kind: "connect", engine: "e", port: given }, [given]);
    };
    connect("early");
    leader.say({ kind: "lead", engine: "e", epoch: 1 });
    connect("late");
    await settle();
    for (const connection of leader.heard) {
      if (connection.kind !== "connection") throw new Error("no connection came");
      const port = connection.port as Port;
      port.listen((message) => port.post(`${message}, answered`));
    }
    await settle();
    expect(answers).toEqual(["early, answered", "late, answered"]);
  });

  it("closes the oldest of the ports that wait when there are too many", async () => {
    const network = startBroker();
    const leader = new Client(network, "leader");
    const other = new Client(network, "other");
    for (let count = 0; count < 70; count += 1) {
      const [, given] = network.of("other").pair();
      other.say({ kind: "connect", engine: "e", port: given }, [given]);
    }
    leader.say({ kind: "lead", engine: "e", epoch: 1 });
    await settle();
    expect(leader.heard).toHaveLength(64);
  });

  it("follows the higher epoch, and any epoch after a leader resigned", async () => {
    const network = startBroker();
    const [old, young, other] = ["old", "young", "other"].map((name) => new Client(network, name));
    const connect = (): void => {
      const [, given] = network.of("other").pair();
      other?.say({ kind: "connect", engine: "e", port: given }, [given]);
    };
    young?.say({ kind: "lead", engine: "e", epoch: 2 });
    old?.say({ kind: "lead", engine: "e", epoch: 1 });
    old?.say({ kind: "resign", engine: "e" });
    connect();
    await settle();
    expect([old?.heard.length, young?.heard.length]).toEqual([0, 1]);
    young?.say({ kind: "resign", engine: "e" });
    old?.say({ kind: "lead", engine: "e", epoch: 1 });
    connect();
    await settle();
    expect([old?.heard.length, young?.heard.length]).toEqual([1, 1]);
  });

  it("keeps batches until a leader settled them", async () => {
    const clock = new VirtualClock(0);
    const network = startBroker(clock);
    const tab = new Client(network, "tab");
    const batches = [{ bytes: Uint8Array.of(1), settledBefore: 1, ageMs: 7 }];
    tab.say({ kind: "keep", engine: "e", batches });
    for (const [epoch, settles] of [
      [1, false],
      [2, true],
      [3, false],
    ] as const) {
      const leader = new Client(network, `leader-${epoch}`);
      await settle();
      await clock.advance(1000);
      leader.say({ kind: "lead", engine: "e", epoch });
      await settle();
      // They grow old while they lie there.
      const aged = batches.map((batch) => ({ ...batch, ageMs: 7 + 1000 * epoch }));
      const expected = { broker: 1, kind: "kept", engine: "e", id: 1, batches: aged };
      expect(leader.heard).toEqual(epoch === 3 ? [] : [expected]);
      if (settles) leader.say({ kind: "kept-settled", engine: "e", id: 1 });
      await settle();
    }
  });

  it("ignores what it does not understand", async () => {
    const network = startBroker();
    const client = new Client(network, "client");
    for (const message of [null, "x", { broker: 2, kind: "lead" }, { broker: 1, engine: "e" }]) {
      client.port.post(message);
    }
    client.port.post({ broker: 1, kind: "of-the-future", engine: "e" });
    client.say({ kind: "lead", engine: "e", epoch: 1 });
    client.say({ kind: "keep", engine: "e", batches: [] });
    await settle();
    expect(client.heard.map(({ kind }) => kind)).toEqual(["kept"]);
  });
});

describe("batches that tabs left behind", () => {
  it("are put by the leader of the time, or by the next one, once and in order", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const stream = await tabs.createStream(first);
    const leaving = tabs.platform.network.of("page").broker();
    const keep = (from: number, to: number): void => {
      const batches = Array.from({ length: to - from }, (_, i) => ({
        bytes: new Uint8Array(batchOf(stream, 99, from + i, `left ${from + i}`)),
        settledBefore: 1,
      }));
      leaving?.post({ broker: 1, kind: "keep", engine: "test", batches });
    };
    keep(1, 4);
    await tabs.pass(100);
    const texts = ["left 1", "left 2", "left 3"];
    expect(await tabs.readAll(first, stream)).toEqual(texts);
    await tabs.until(first.service.close());
    keep(4, 6);
    keep(1, 3);
    await tabs.pass(100);
    const second = await tabs.open();
    await tabs.pass(100);
    expect(await tabs.readAll(second, stream)).toEqual([...texts, "left 4", "left 5"]);
  });
});
