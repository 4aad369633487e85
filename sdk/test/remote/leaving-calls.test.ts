/** How the client for a page's last calls is made ready: what it waits for, and what ends that. */
import { systemRandom } from "@millrace/engine";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../engine/host/src/platform/virtual-clock.ts";
import type { LoadedClient } from "../../src/remote/load-client.ts";
import { RemoteCalls } from "../../src/remote/remote-calls.ts";
import { failureOf } from "../support.ts";

/** Calls by a client that answers as told, which of its connections were closed, and when the first call was made. */
function callsBy(answer: LoadedClient["send"]) {
  const clock = new VirtualClock(0);
  const closed: string[] = [];
  let tell: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const client: LoadedClient = {
    send: answer,
    close: () => closed.push("living"),
    another: async () => ({
      send: (...call) => {
        tell();
        return answer(...call);
      },
      close: () => closed.push("leaving"),
    }),
  };
  const surroundings = { clock, random: systemRandom, deadlineMs: 1000, place: "there" };
  return { clock, closed, asked, calls: new RemoteCalls(client, surroundings) };
}

/** Answers nothing, until the call is given up. */
const silent: LoadedClient["send"] = (_operation, _input, signal) =>
  new Promise((_resolve, reject) => {
    signal?.addEventListener("abort", () => reject(new Error("given up")));
  });

describe("a client for the page's end", () => {
  it("is given up when the first answer does not come in time", async () => {
    const { clock, closed, asked, calls } = callsBy(silent);
    const failure = failureOf(calls.openLeaving("ListShards", {}));
    await asked;
    await clock.advance(999);
    expect(closed).toEqual([]);
    await clock.advance(1);
    expect(await failure).toMatchObject({
      ...{ name: "DeadlineError", code: "DeadlineException", retryable: true },
      ...{ argument: "deadlineMs", value: "ListShards", limit: 1000 },
    });
    expect(closed).toEqual(["leaving"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("is given up when the calls are closed meanwhile", async () => {
    const { clock, closed, asked, calls } = callsBy(silent);
    const failure = failureOf(calls.openLeaving("ListShards", {}));
    await asked;
    calls.close();
    expect(await failure).toMatchObject({ name: "EngineClosedError", indeterminate: false });
    expect(new Set(closed)).toEqual(new Set(["living", "leaving"]));
    expect(clock.pendingTimers).toBe(0);
  });

  it("fails as the calls do", async () => {
    const refused = Object.assign(new Error("not you"), {
      ...{ name: "AccessDeniedException", $fault: "client" },
    });
    const { closed, calls } = callsBy(() => Promise.reject(refused));
    const failure = await failureOf(calls.openLeaving("ListShards", {}));
    expect(failure).toMatchObject({ name: "AccessDeniedError", message: "not you" });
    expect(closed).toEqual(["leaving"]);
  });
});
