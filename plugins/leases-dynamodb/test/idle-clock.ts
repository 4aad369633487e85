/**
 * Time for tests of the calls to DynamoDB: it stands still while a call is under way, and else passes at once. How
 * fast a machine is, and how long it halts, is then no part of any deadline.
 */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { waitingClock } from "@millrace/engine";
import { vi } from "vitest";
import { VirtualClock } from "../../../engine/host/src/platform/virtual-clock.ts";
import { endLater } from "../../../sdk/test/remote/support.ts";

type Send = (this: DynamoDBClient, ...call: unknown[]) => Promise<unknown>;

/** The time of all tables until the end of the test. Whoever swallows a call advances it himself. */
export function startIdleClock(): VirtualClock {
  const clock = new VirtualClock(0);
  let underWay = 0;
  const send = DynamoDBClient.prototype.send as Send;
  const counting: Send = async function (...call) {
    underWay += 1;
    try {
      return await send.apply(this, call);
    } finally {
      underWay -= 1;
    }
  };
  const spies = [
    vi.spyOn(DynamoDBClient.prototype, "send").mockImplementation(counting as never),
    vi.spyOn(waitingClock, "monotonicMs").mockImplementation(() => clock.monotonicMs()),
    vi
      .spyOn(waitingClock, "after")
      .mockImplementation((delayMs, callback) => clock.after(delayMs, callback)),
  ];
  const turns = setInterval(() => {
    if (underWay === 0) clock.advanceBy(clock.nextTimerInMs ?? 0);
  }, 1);
  endLater(() => {
    clearInterval(turns);
    for (const spy of spies) spy.mockRestore();
  });
  return clock;
}
