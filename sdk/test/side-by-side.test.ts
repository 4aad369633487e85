/** Shards that are asked side by side: the quick ones are not held up, and none is asked twice. */
import { describe, expect, it } from "vitest";
import { SideBySide } from "../src/side-by-side.ts";

interface Question {
  readonly shardIndex: number;
  readonly answer: (text: string) => void;
  readonly fail: (error: Error) => void;
}

/** Answers that are given by hand, in the order of the questions. */
function byHand() {
  const questions: Question[] = [];
  const read = (shardIndex: number): Promise<string> =>
    new Promise((answer, fail) => questions.push({ shardIndex, answer, fail }));
  return { questions, read };
}

describe("SideBySide", () => {
  it("hands out answers as they come, and asks a shard again when its answer was taken", async () => {
    const shards = new SideBySide<string>();
    const { questions, read } = byHand();
    for (const shardIndex of [0, 1, 0, 1]) shards.ask(shardIndex, read);
    expect(questions.map(({ shardIndex }) => shardIndex)).toEqual([0, 1]);
    const first = shards.next();
    questions[1]?.answer("of one");
    expect(await first).toEqual({ shardIndex: 1, answer: "of one" });
    for (const shardIndex of [0, 1]) shards.ask(shardIndex, read);
    expect(questions.map(({ shardIndex }) => shardIndex)).toEqual([0, 1, 1]);
    questions[2]?.answer("again of one");
    expect(await shards.next()).toEqual({ shardIndex: 1, answer: "again of one" });
    questions[0]?.answer("of none");
    expect(await shards.next()).toEqual({ shardIndex: 0, answer: "of none" });
  });

  it("does not ask a shard whose answer is there and was not taken", async () => {
    const shards = new SideBySide<string>();
    const { questions, read } = byHand();
    shards.ask(3, read);
    questions[0]?.answer("early");
    await Promise.resolve();
    shards.ask(3, read);
    expect(questions).toHaveLength(1);
    expect(await shards.next()).toEqual({ shardIndex: 3, answer: "early" });
  });

  it("throws what a shard's reading threw, when its turn is there", async () => {
    const shards = new SideBySide<string>();
    const { questions, read } = byHand();
    for (const shardIndex of [0, 1]) shards.ask(shardIndex, read);
    const failure = new Error("gone");
    questions[1]?.answer("first");
    await Promise.resolve();
    questions[0]?.fail(failure);
    expect(await shards.next()).toEqual({ shardIndex: 1, answer: "first" });
    await expect(shards.next()).rejects.toBe(failure);
  });
});
