/** Members among lost, repeated and late messages, deaths, thefts and freezes, by seed. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import type { Deliver } from "../../src/platform/virtual-channels.ts";
import type { StreamDescription } from "../../src/service/engine-service.ts";
import { type Tab, Tabs } from "../support/members.ts";

const SEEDS = Number(process.env["CHAOS_SEEDS"] ?? 10);
const FIRST = Number(process.env["CHAOS_FROM"] ?? 1);
const ROUNDS = 12;
const WRITER = "millrace:test:writer";

/** A machine in disorder, until it is told to calm down. */
class Chaos {
  readonly tabs: Tabs;
  readonly #random: SeededRandom;
  #calm = false;
  #thefts = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.tabs = new Tabs({ broker: this.chance(2), deliver: this.#deliver });
  }

  /** One in so many. */
  chance(of: number): boolean {
    return this.below(of) === 0;
  }

  below(limit: number): number {
    return (this.#random.fill(new Uint8Array(2))[0] ?? 0) % limit;
  }

  calmDown(): void {
    this.#calm = true;
  }

  /** Broadcasts may be lost, come twice or late; messages of ports come in order and at once, as in browsers. */
  readonly #deliver: Deliver = (task, { kind }) => {
    if (this.#calm || kind === "port") {
      queueMicrotask(task);
      return;
    }
    if (this.chance(20)) return;
    const delayMs = this.chance(10) ? this.below(50) : 0;
    const deliver = (): void => queueMicrotask(task);
    if (delayMs === 0) deliver();
    else this.tabs.platform.clock.after(delayMs, deliver);
    if (this.chance(20)) this.tabs.platform.clock.after(this.below(100), task);
  };

  async hit(victims: readonly Tab[]): Promise<void> {
    const victim = victims[this.below(victims.length)];
    if (victim === undefined) return;
    switch (this.below(4)) {
      case 0:
        victim.context.freeze();
        await this.tabs.pass(this.below(8000));
        victim.context.thaw();
        return;
      case 1: {
        this.#thefts += 1;
        const thief = this.tabs.platform.locks.of(`thief-${this.#thefts}`);
        const lock = await thief.acquire(WRITER, { steal: true });
        await this.tabs.pass(this.below(100));
        lock.release();
        return;
      }
      default:
        await this.tabs.pass(this.below(300));
    }
  }
}

async function produce(tab: Tab, stream: StreamDescription, texts: string[]): Promise<void> {
  await Promise.all(texts.map((text) => tab.put(stream, text)));
}

describe("members in disorder", () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => FIRST + i))(
    "lose nothing, double nothing and keep the order, seed %i",
    async (seed) => {
      const chaos = new Chaos(seed);
      const { tabs } = chaos;
      const producers = [await tabs.open(), await tabs.open(), await tabs.open()];
      const stream = await tabs.createStream(producers[0] as Tab);
      const expected = producers.map((): string[] => []);
      const puts: Promise<void>[] = [];
      const passing: Tab[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const [i, tab] of producers.entries()) {
          const texts = Array.from({ length: 1 + chaos.below(5) }, (_, n) => `${i}/${round}/${n}`);
          expected[i]?.push(...texts);
          puts.push(produce(tab, stream, texts));
        }
        if (chaos.chance(3)) passing.push(await tabs.open());
        await chaos.hit([...producers, ...passing]);
        if (chaos.chance(3)) passing.shift()?.context.kill();
        else if (chaos.chance(4)) void passing.shift()?.service.close();
      }
      chaos.calmDown();
      await tabs.until(Promise.all(puts));
      const texts = await tabs.readAll(producers[1] as Tab, stream);
      for (const [i, own] of expected.entries()) {
        expect(texts.filter((text) => text.startsWith(`${i}/`))).toEqual(own);
      }
    },
  );
});
