/** The group that a newcomer finds at work: made once, and not again after it was deleted. */
import type { OpenEngine } from "../controllers/engine-controller.ts";
import { Crew } from "./crew.ts";

/** Name of the group. */
export const DEMO_GROUP = "demo";

const KEY = "millrace-demo-group";
const WORKERS = 2;

function wasMade(createdMs: number): boolean {
  try {
    return localStorage.getItem(KEY) === String(createdMs);
  } catch {
    // A browser that keeps nothing is always a newcomer's.
    return false;
  }
}

function keepMade(createdMs: number): void {
  try {
    localStorage.setItem(KEY, String(createdMs));
  } catch {
    // See above.
  }
}

/** Makes the group on the stream of the Live place and starts its workers. */
export async function startDemo({ millrace, stream }: OpenEngine): Promise<void> {
  const group = await stream.group(DEMO_GROUP, { from: "LATEST" });
  keepMade(stream.description.createdMs);
  const crew = Crew.of(millrace);
  for (let i = 0; i < WORKERS; i += 1) crew.start(group, "fan-out");
}

/** Does so where there is no group yet, and never was a demo of this stream. */
export async function seedDemo(engine: OpenEngine): Promise<void> {
  if (wasMade(engine.stream.description.createdMs)) return;
  const groups = await engine.millrace.groups.list();
  if (groups.length === 0) await startDemo(engine);
}
