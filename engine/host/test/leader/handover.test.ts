/** Changes of leader: orderly, by death, by theft; with a broker and without. */
import { describe, expect, it } from "vitest";
import { Tabs } from "../support/members.ts";

describe.each([{ broker: true }, { broker: false }])("with a broker: $broker", ({ broker }) => {
  const transport = broker ? "port" : "broadcast";

  it("one leads, the others follow", async () => {
    const tabs = new Tabs({ broker });
    const first = await tabs.open();
    const second = await tabs.open();
    const leader = await first.status();
    expect(leader).toMatchObject({ role: "leader", transport: "local", members: 2 });
    expect(await second.status()).toMatchObject({
      role: "follower",
      leaderId: leader.memberId,
      epoch: leader.epoch,
      transport,
    });
    const stream = await tabs.createStream(second);
    await tabs.until(second.put(stream, "from the second"));
    await tabs.until(first.put(stream, "from the first"));
    expect(await tabs.readAll(second, stream)).toEqual(["from the second", "from the first"]);
  });

  it("a leader that closes hands over", async () => {
    const tabs = new Tabs({ broker });
    const first = await tabs.open();
    const second = await tabs.open();
    const stream = await tabs.createStream(first);
    const own = first.put(stream, "a");
    const others = second.put(stream, "b");
    await tabs.until(first.service.close());
    await tabs.until(Promise.all([own, others, second.put(stream, "c")]));
    expect((await second.status()).role).toBe("leader");
    expect((await tabs.readAll(second, stream)).sort()).toEqual(["a", "b", "c"]);
  });

  it("the next one takes over from a leader that died, with what was under way", async () => {
    const tabs = new Tabs({ broker });
    const first = await tabs.open();
    const second = await tabs.open();
    const third = await tabs.open();
    const stream = await tabs.createStream(second);
    const texts = Array.from({ length: 20 }, (_, i) => `${i}`);
    const puts = texts.map((text) => second.put(stream, text));
    first.context.kill();
    await tabs.until(Promise.all(puts));
    expect(await tabs.readAll(third, stream)).toEqual(texts);
    expect(await second.status()).toMatchObject({ role: "leader", members: 2 });
    expect(await third.status()).toMatchObject({ role: "follower", transport });
  });

  it("a zombie that goes on writing is fenced off, and its own requests go to the new leader", async () => {
    const tabs = new Tabs({ broker });
    const first = await tabs.open();
    const second = await tabs.open();
    const stream = await tabs.createStream(first);
    const puts = [first.put(stream, "before")];
    const thief = await tabs.platform.locks.of("thief").acquire("millrace:test:writer", {
      steal: true,
    });
    puts.push(first.put(stream, "after"));
    thief.release();
    puts.push(second.put(stream, "second"));
    await tabs.until(Promise.all(puts));
    const texts = await tabs.readAll(first, stream);
    expect(texts.filter((text) => text !== "second")).toEqual(["before", "after"]);
    expect(texts).toHaveLength(3);
    const roles = [await first.status(), await second.status()].map(({ role }) => role);
    expect(roles.sort()).toEqual(["follower", "leader"]);
  });

  it("everything survives twenty changes of leader, once and in order", async () => {
    const tabs = new Tabs({ broker });
    const reader = await tabs.open();
    let leader = reader;
    const stream = await tabs.createStream(reader);
    const texts: string[] = [];
    const puts: Promise<unknown>[] = [];
    const producer = await tabs.open();
    for (let change = 0; change < 20; change += 1) {
      const next = await tabs.open();
      for (let i = 0; i < 10; i += 1) {
        texts.push(`${change}/${i}`);
        puts.push(producer.put(stream, `${change}/${i}`));
        if (i % 3 === 0) await tabs.pass(1);
      }
      if (leader !== producer && leader !== reader) {
        if (change % 2 === 0) leader.context.kill();
        else void leader.service.close();
      } else {
        await tabs.until(
          tabs.platform.locks
            .of(`thief-${change}`)
            .acquire("millrace:test:writer", { steal: true })
            .then((lock) => lock.release()),
        );
      }
      await tabs.pass(300);
      const roles = await Promise.all(
        [reader, producer, next].map(async (tab) => (await tab.status()).role),
      );
      const place = roles.indexOf("leader");
      leader = [reader, producer, next][place] ?? leader;
    }
    await tabs.until(Promise.all(puts));
    expect(await tabs.readAll(reader, stream)).toEqual(texts);
  });
});
