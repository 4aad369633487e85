/** How things are measured: two sides in turn, round by round, in one process, and medians of that. */

/** One side of a comparison. Runs its work once and says how much it did in how much time. */
export type Side = () => Sample | Promise<Sample>;

/** Work done in a stretch of time. */
export interface Sample {
  /** In the unit of the row: keys, records, bytes. */
  readonly work: number;
  /** In milliseconds, of the measured part alone. */
  readonly elapsedMs: number;
}

/** What a comparison must reach, as the ratio of ours to the peer's. */
export interface Target {
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** One line of the results. */
export interface Row {
  readonly name: string;
  /** Where it ran: chromium, node, or both sides named. */
  readonly where: string;
  readonly unit: string;
  readonly value: number;
  /** What it is compared with; undefined when the value stands by itself. */
  readonly peer?: string;
  readonly peerValue?: number;
  readonly ratio?: number;
  /** Smallest and largest ratio of a round. */
  readonly ratioRange?: readonly [number, number];
  readonly target?: Target | undefined;
  readonly reached?: boolean | undefined;
  /** What a reader must know to judge the figure. */
  readonly note?: string | undefined;
}

/** Middle value; the mean of the two middle ones when their number is even. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** Value below which a share of the values lies, between neighbours in proportion. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** Runs a piece of work and takes its time. */
export async function timed(work: number, run: () => void | Promise<void>): Promise<Sample> {
  const start = performance.now();
  await run();
  return { work, elapsedMs: performance.now() - start };
}

/** Whether a value reaches its target; undefined without one. */
export function reaches(value: number, target: Target | undefined): boolean | undefined {
  if (target === undefined) return undefined;
  return (
    value >= (target.atLeast ?? Number.NEGATIVE_INFINITY) && value <= (target.atMost ?? Infinity)
  );
}

/** What a comparison is called and what it must reach. */
export interface Comparison {
  readonly name: string;
  readonly where: string;
  /** Unit of the rate, such as "records/s". */
  readonly unit: string;
  readonly peer: string;
  readonly rounds: number;
  /** Rounds before the first one that counts. */
  readonly warmUps?: number;
  readonly target?: Target | undefined;
  readonly note?: string | undefined;
  /** "rate" (the default): ratio of rates, more is better; "time": ratio of times, less is better. */
  readonly ratioOf?: "rate" | "time";
}

function perSecond({ work, elapsedMs }: Sample): number {
  return (work / elapsedMs) * 1000;
}

/** Compares two sides in interleaved rounds. The ratio is the median of the rounds' ratios. */
export async function compare(comparison: Comparison, ours: Side, theirs: Side): Promise<Row> {
  const { name, where, unit, peer, rounds, warmUps = 1, target, note } = comparison;
  const values: number[] = [];
  const peerValues: number[] = [];
  for (let round = -warmUps; round < rounds; round++) {
    // Who goes first changes, so that neither side always finds the caches of the other.
    const oursFirst = round % 2 === 0;
    const first = perSecond(await (oursFirst ? ours() : theirs()));
    const second = perSecond(await (oursFirst ? theirs() : ours()));
    if (round < 0) continue;
    values.push(oursFirst ? first : second);
    peerValues.push(oursFirst ? second : first);
  }
  const ratios = values.map((value, i) => {
    const ratio = value / (peerValues[i] ?? Number.NaN);
    return comparison.ratioOf === "time" ? 1 / ratio : ratio;
  });
  const ratio = median(ratios);
  return {
    ...{ name, where, unit, value: median(values), peer, peerValue: median(peerValues), ratio },
    ratioRange: [Math.min(...ratios), Math.max(...ratios)],
    target,
    reached: reaches(ratio, target),
    note,
  };
}

/** A value without a peer, held against a target of its own. */
export function alone(
  row: Pick<Row, "name" | "where" | "unit" | "value"> & {
    readonly target?: Target | undefined;
    readonly note?: string | undefined;
  },
): Row {
  const { name, where, unit, value, target, note } = row;
  return {
    name,
    where,
    unit,
    value,
    target,
    reached: reaches(value, target),
    note,
  };
}
