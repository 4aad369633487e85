/** Who listens hears what it asked for, in order, whatever other listeners do. */
import { InvalidArgumentError } from "@millrace/engine";
import { describe, expect, it } from "vitest";
import { Listeners } from "../src/listeners.ts";

type Told =
  | { readonly kind: "begun" | "ended"; readonly shardId: string }
  | { readonly kind: "failed"; readonly error: unknown };

const KINDS = ["begun", "ended", "failed"] as const;

/** What microtasks do that are under way. */
async function settled(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

describe("Listeners", () => {
  it("tells an event to those who listen to its kind, and to those who listen to every kind", async () => {
    const listeners = new Listeners<Told>(KINDS);
    const heard: string[] = [];
    // One member of the union has two kinds: its other members must be there for either.
    listeners.on("begun", ({ kind, shardId }) => heard.push(`${kind} ${shardId}`));
    listeners.on("failed", ({ kind, error }) => heard.push(`${kind} ${String(error)}`));
    for (const kind of KINDS) listeners.on(kind, (event) => heard.push(`any ${event.kind}`));
    listeners.tell({ kind: "begun", shardId: "s0" });
    listeners.tell({ kind: "ended", shardId: "s1" });
    listeners.tell({ kind: "failed", error: "no" });
    expect(heard).toEqual([]);
    await settled();
    expect(heard).toEqual(["begun s0", "any begun", "any ended", "failed no", "any failed"]);
  });

  it("tells no more to one who went, and counts those who stayed", async () => {
    const listeners = new Listeners<Told>(KINDS);
    const heard: string[] = [];
    const hear = ({ kind }: Told): void => void heard.push(kind);
    const [first, second] = [listeners.on("begun", hear), listeners.on("begun", hear)];
    expect(listeners.size).toBe(2);
    first();
    first();
    expect(listeners.size).toBe(1);
    listeners.tell({ kind: "begun", shardId: "s0" });
    await settled();
    expect(heard).toEqual(["begun"]);
    second();
    expect(listeners.size).toBe(0);
  });

  it("leaves what a listener throws to the application", async () => {
    const listeners = new Listeners<Told>(KINDS);
    const heard: string[] = [];
    const thrown: unknown[] = [];
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => thrown.push(error));
    try {
      const mistake = new Error("the application's");
      listeners.on("begun", () => {
        throw mistake;
      });
      listeners.on("begun", ({ shardId }) => heard.push(shardId));
      listeners.tell({ kind: "begun", shardId: "s0" });
      await settled();
      expect(heard).toEqual(["s0"]);
      expect(thrown).toEqual([mistake]);
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const other of others) process.on("uncaughtException", other);
    }
  });

  it("refuses a kind that there is not, and what is no function", () => {
    const listeners = new Listeners<Told>(KINDS);
    const hear = (): void => undefined;
    expect(() => listeners.on("over" as "ended", hear)).toThrow(InvalidArgumentError);
    expect(() => listeners.on("ended", "hear" as never)).toThrow(InvalidArgumentError);
    expect(listeners.size).toBe(0);
  });
});
