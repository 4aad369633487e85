/** The events of whoever leads, as one sequence: a change of leader is an event itself. */
import type { Clock } from "../platform/platform.ts";
import type { ControlOperations, EngineEvent, EventCursor } from "../service/engine-service.ts";
import type { LeaderFacts } from "./targets.ts";

type Wish = Parameters<ControlOperations["events"]>[0];
type Answer = ReturnType<ControlOperations["events"]>;

/** Asks whoever leads; `ask` gives the argument for a leader whose term began with an epoch. */
export type AskLeader = (ask: (epoch: number) => Wish) => Promise<{
  readonly answer: Answer;
  readonly facts: LeaderFacts;
}>;

/**
 * Answers the control operation `events` over changes of leader. That the leader changed follows from the
 * cursor, whose epoch is then older than the leader's term.
 */
export async function followEvents(clock: Clock, wish: Wish, leader: AskLeader): Promise<Answer> {
  const startedMs = clock.monotonicMs();
  let after: EventCursor | null = wish.after;
  if (after === null) {
    const { answer } = await leader(() => ({ after: null, waitMs: 0 }));
    if (answer.events.length > 0 || wish.waitMs === 0) return answer;
    after = answer.cursor;
  }
  const from = after;
  const { answer, facts } = await leader((epoch) => {
    const leftMs = wish.waitMs - (clock.monotonicMs() - startedMs);
    return { after: from, waitMs: from.epoch < epoch ? 0 : Math.max(0, leftMs) };
  });
  if (from.epoch >= facts.epoch) return answer;
  const changed: EngineEvent = {
    ...{ kind: "leader-changed", atMs: clock.nowMs(), epoch: facts.epoch },
    here: facts.transport === "local",
  };
  return { cursor: answer.cursor, events: [changed, ...answer.events] };
}
