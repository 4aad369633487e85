/** Several tabs over one engine: frames with workers of their own, which come, go, and die. */
import { assert } from "chai";
import { EngineClosedError, type Millrace } from "millrace";
import { closeAll, fileHere, newName, openEngine, readTexts } from "./support.ts";
import type { Tab } from "./tab-frame.ts";

const frames: HTMLIFrameElement[] = [];

/** Where a frame goes for a tab, and when that is open. */
function addressOf(engine: string, more = ""): { url: string; opened: Promise<void> } {
  const frame = crypto.randomUUID();
  const opened = new Promise<void>((resolve) => {
    const listen = ({ data }: MessageEvent): void => {
      if (data?.ready !== frame) return;
      removeEventListener("message", listen);
      resolve();
    };
    addEventListener("message", listen);
  });
  return { url: fileHere(`./tab-frame.html?engine=${engine}&frame=${frame}${more}`), opened };
}

function tabOf({ contentWindow }: HTMLIFrameElement): Tab {
  assert.isNotNull(contentWindow);
  return Reflect.get(contentWindow, "tab") as Tab;
}

interface Opened extends Tab {
  readonly frame: HTMLIFrameElement;
}

async function openTab(engine: string, more = ""): Promise<Opened> {
  const { url, opened } = addressOf(engine, more);
  const frame = document.createElement("iframe");
  frames.push(frame);
  frame.src = url;
  document.body.append(frame);
  await opened;
  return { ...tabOf(frame), frame };
}

/** Ends a tab, as by closing it. */
function endTab({ frame }: Opened): void {
  frame.remove();
}

const put = (tab: Tab, data: string): Promise<unknown> =>
  tab.stream.putRecord({ partitionKey: "k", data });

async function textsOf(engine: Millrace): Promise<string[]> {
  return await readTexts(await engine.streams.get("clicks"));
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`${what}: not within 5 s`);
}

describe("tabs that share an engine", () => {
  afterEach(async () => {
    for (const frame of frames.splice(0)) frame.remove();
    await closeAll();
  });

  for (const [way, more] of [
    ["port", ""],
    ["broadcast", "&brokerless"],
  ] as const) {
    it(`read what each other put, over the transport "${way}"`, async () => {
      const name = newName();
      const first = await openTab(name, more);
      const second = await openTab(name, more);
      assert.deepInclude(await first.millrace.member(), { role: "leader", transport: "local" });
      assert.deepInclude(await second.millrace.member(), { role: "follower", transport: way });
      await put(first, "a");
      await put(second, "b");
      await put(first, "c");
      assert.deepEqual(await textsOf(second.millrace), ["a", "b", "c"]);
      await first.millrace.close();
      assert.isTrue(first.millrace.closed);
      await put(second, "d");
      assert.deepEqual(await textsOf(second.millrace), ["a", "b", "c", "d"]);
      assert.deepInclude(await second.millrace.member(), { role: "leader" });
    });
  }

  it("go on when the tab that leads is closed, and tell those who listen", async () => {
    const name = newName();
    const first = await openTab(name);
    const engine = await openEngine({ name });
    const heard: boolean[] = [];
    engine.on("leader-changed", ({ here }) => heard.push(here));
    const stream = await engine.streams.get("clicks");
    const puts = Array.from({ length: 50 }, (_, i) =>
      stream.putRecord({ partitionKey: "k", data: `${i}` }),
    );
    endTab(first);
    await Promise.all(puts);
    assert.deepEqual(
      await textsOf(engine),
      puts.map((_, i) => `${i}`),
    );
    await until("a change of leader is told", async () => heard.includes(true));
  });

  it("keep a live read open over a tab's end", async () => {
    const name = newName();
    const first = await openTab(name);
    const engine = await openEngine({ name });
    const stream = await engine.streams.get("clicks");
    const reading = stream.read({ from: "TRIM_HORIZON", until: "live" });
    await put(first, "before");
    assert.equal((await reading.next()).value?.text(), "before");
    const next = reading.next();
    endTab(first);
    await stream.putRecord({ partitionKey: "k", data: "after" });
    assert.equal((await next).value?.text(), "after");
    await reading.return?.();
  });

  it("go on with a new worker when a worker is ended behind the page's back", async () => {
    const name = newName();
    const tab = await openTab(name);
    const other = await openTab(name);
    for (const { workers, millrace, stream } of [tab, other, tab]) {
      const puts = [1, 2, 3].map((i) => stream.putRecord({ partitionKey: "k", data: `${i}` }));
      workers.at(-1)?.terminate();
      await Promise.all(puts);
      assert.isFalse(millrace.closed);
    }
    assert.lengthOf(tab.workers, 3);
    assert.lengthOf(other.workers, 2);
    assert.deepEqual(
      await textsOf(tab.millrace),
      [1, 2, 3, 1, 2, 3, 1, 2, 3].map((i) => `${i}`),
    );
  });
});

describe("a tab that is left right after a put", () => {
  afterEach(async () => {
    for (const frame of frames.splice(0)) frame.remove();
    await closeAll();
  });

  for (const [who, withOther] of [
    ["the only one", false],
    ["one of two", true],
  ] as const) {
    it(`loses nothing and stores nothing twice, 50 times, as ${who}`, async () => {
      const name = newName();
      const other = withOther ? await openEngine({ name }) : undefined;
      const { frame } = await openTab(name);
      for (let i = 0; i < 50; i++) {
        const next = addressOf(name);
        void put(tabOf(frame), `${i}`).catch(() => undefined);
        frame.contentWindow?.location.replace(next.url);
        await next.opened;
      }
      const engine = other ?? tabOf(frame).millrace;
      await until("all is there", async () => (await textsOf(engine)).length >= 50);
      // What a page leaves behind is put beside what later ones put.
      const expected = Array.from({ length: 50 }, (_, i) => `${i}`);
      assert.sameMembers(await textsOf(engine), expected);
      const copies = (): string[] => Object.keys(localStorage).filter((key) => key.includes(name));
      await until("no copy is left behind", async () => copies().length === 0);
    }).timeout(300_000);
  }

  it("leaves what was put to whoever comes next, when it was the last one", async () => {
    const name = newName();
    const tab = await openTab(name);
    await put(tab, "before");
    for (let i = 0; i < 20; i++) void put(tab, `${i}`).catch(() => undefined);
    endTab(tab);
    const engine = await openEngine({ name });
    const texts = ["before", ...Array.from({ length: 20 }, (_, i) => `${i}`)];
    await until("all is there", async () => (await textsOf(engine)).length >= texts.length);
    assert.deepEqual(await textsOf(engine), texts);
  });

  it("may be closed on purpose all the same", async () => {
    const tab = await openTab(newName());
    await tab.millrace.close();
    const failure = await put(tab, "x").catch((error: unknown) => error);
    assert.equal((failure as Error).name, EngineClosedError.name);
  });
});
