/**
 * Which leases a worker is to take, by the KCL's rule: as many as make the load even, first those that nobody has,
 * and where there are none, one of the worker that has most. Pure but for chance.
 */
import type { LeaseRow } from "../../lease-table.ts";
import { isEnded, isReady } from "./lease-rows.ts";

/** What a plan is made from. */
export interface PlanInput {
  readonly rows: readonly LeaseRow[];
  readonly workerId: string;
  readonly leasesMax: number;
  readonly failoverMs: number;
  /** How long a row's counter has stood still, in ms. */
  stillMs(row: LeaseRow): number;
  /** An integer from 0 to below a number. */
  below(count: number): number;
}

/** What a worker is to do. */
export interface LeasePlan {
  /** Nobody has these, or whoever had them is dead. */
  readonly take: readonly LeaseRow[];
  /** Another worker has this one, and is to give it up. */
  readonly ask: LeaseRow | undefined;
}

/** See above. */
export function planLeases(input: PlanInput): LeasePlan {
  const { workerId, leasesMax, failoverMs } = input;
  const byKey = new Map(input.rows.map((row) => [row.leaseKey, row]));
  const ready = input.rows.filter((row) => !isEnded(row) && isReady(row, byKey));
  const free: LeaseRow[] = [];
  const loads = new Map<string, LeaseRow[]>([[workerId, []]]);
  for (const row of ready) {
    const dead = row.owner !== workerId && input.stillMs(row) >= failoverMs;
    const holder = dead ? null : (row.wantedBy ?? row.owner);
    if (holder === null) free.push(row);
    else loads.set(holder, [...(loads.get(holder) ?? []), row]);
  }
  const target = Math.ceil(ready.length / loads.size);
  const mine = loads.get(workerId)?.length ?? 0;
  const room = Math.min(target, leasesMax) - mine;
  shuffle(free, input);
  const take = free.slice(0, Math.max(0, room));
  if (take.length < free.length)
    take.push(...leftOver(free.slice(take.length), input, mine + take.length));
  if (free.length > 0 || room <= 0) return { take, ask: undefined };
  loads.delete(workerId);
  return { take, ask: toSteal([...loads.values()], target, room, input) };
}

/** Leases that nobody takes although they are free: the others have as many as they may. */
function leftOver(rows: readonly LeaseRow[], input: PlanInput, mine: number): LeaseRow[] {
  const lasting = rows.filter((row) => input.stillMs(row) >= 2 * input.failoverMs);
  return lasting.slice(0, Math.max(0, input.leasesMax - mine));
}

/** One lease of the worker that has most, where that makes the load more even. */
function toSteal(
  loads: readonly (readonly LeaseRow[])[],
  target: number,
  room: number,
  { below }: PlanInput,
): LeaseRow | undefined {
  const [most = []] = [...loads].sort((a, b) => b.length - a.length);
  const even = most.length < target || (most.length === target && room <= 1);
  if (even) return undefined;
  const settled = most.filter(({ wantedBy }) => wantedBy === null);
  return settled[below(Math.max(1, settled.length))];
}

function shuffle(rows: LeaseRow[], { below }: PlanInput): void {
  for (let last = rows.length - 1; last > 0; last--) {
    const other = below(last + 1);
    const [a, b] = [rows[last], rows[other]];
    if (a !== undefined && b !== undefined) [rows[last], rows[other]] = [b, a];
  }
}
