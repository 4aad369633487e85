/**
 * A pipeline of three stages and a branch for the tests, and what must come out of it: computed without streams,
 * from the same records.
 */
import {
  definePipeline,
  type Millrace,
  type Pipeline,
  type PipelineDefinition,
  type PipelineDescription,
  type Stream,
} from "millrace";

/** Streams of the pipeline, in the order of their stages. */
export const SOURCE = "orders";
const SINKS = ["alerts", "large"] as const;

/** What is put into the source. */
export interface Order {
  readonly number: number;
  readonly user: string;
  readonly cents: number;
}

/** What comes out for a user with each order that is kept. */
interface Total {
  readonly user: string;
  readonly count: number;
  readonly cents: number;
  /** Number of the order that came last. */
  readonly last: number;
}

const PRODUCTS = 13;
const USERS = 101;

/** The order of that number. */
export function orderOf(number: number): Order {
  const mixed = Math.imul(number + 1, 0x9e3779b1) >>> 0;
  return { number, user: `user-${mixed % USERS}`, cents: mixed % 9973 };
}

/** Partition key of an order in the source: not its user. */
export function productOf({ number }: Order): string {
  return `product-${number % PRODUCTS}`;
}

/**
 * The stages: orders by user, added up, and what is notable; a branch of large orders. `onOrder` is called with each
 * order by the first stage.
 */
export function dagOf(shards: number, onOrder: () => void = () => undefined): PipelineDefinition {
  return definePipeline((pipeline) => {
    const orders = pipeline.from<Order>(SOURCE);
    orders
      .filter(({ cents }) => {
        onOrder();
        return cents % 7 !== 0;
      })
      .keyBy(({ user }) => user, { through: "by-user", shards })
      .aggregate<Total, Total>({
        initial: (user) => ({ user, count: 0, cents: 0, last: -1 }),
        add: (total, { cents, number }) => ({
          ...total,
          count: total.count + 1,
          cents: total.cents + cents,
          last: number,
        }),
      })
      .to("totals", { shards })
      .flatMap(({ user, count, cents, last }) =>
        count % 5 === 0
          ? [
              { user, last, count },
              { user, last, cents },
            ]
          : [],
      )
      .to(SINKS[0]);
    orders
      .filter(({ cents }) => cents > 9000)
      .map(({ number, cents }) => ({ number, twice: 2 * cents }))
      .to(SINKS[1]);
  });
}

/** The stages in this thread. */
export async function buildDag(engine: Millrace, shards: number): Promise<Pipeline> {
  const pipeline = await engine.pipeline("shop");
  await dagOf(shards).build(pipeline);
  return pipeline;
}

/** Outputs by sink and partition key, each key's in their order: what does not depend on shards or luck. */
type Outcome = Map<string, string[]>;

function note(outcome: Outcome, sink: string, key: string, value: string): void {
  const place = `${sink}/${key}`;
  const values = outcome.get(place);
  if (values === undefined) outcome.set(place, [value]);
  else values.push(value);
}

function expectedLarge(count: number): Outcome {
  const outcome: Outcome = new Map();
  for (let number = 0; number < count; number++) {
    const order = orderOf(number);
    if (order.cents <= 9000) continue;
    const value = JSON.stringify({ number, twice: 2 * order.cents });
    note(outcome, SINKS[1], productOf(order), value);
  }
  return outcome;
}

async function outcomeOf(engine: Millrace, sink: string): Promise<Outcome> {
  const outcome: Outcome = new Map();
  const stream: Stream = await engine.streams.get(sink);
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    note(outcome, sink, record.partitionKey, record.text());
  }
  return outcome;
}

/**
 * Says what is wrong with the output of a run, however often it was killed; nothing when it is that of an
 * uninterrupted one. The source has one shard, so that the order of all values of a key is given.
 */
export async function problemsOf(engine: Millrace, count: number): Promise<string[]> {
  const problems: string[] = [];
  const compare = (sink: string, found: Outcome, expected: Outcome): void => {
    for (const place of new Set([...found.keys(), ...expected.keys()])) {
      const [got, wanted] = [found.get(place) ?? [], expected.get(place) ?? []];
      const at = wanted.findIndex((value, i) => value !== got[i]);
      if (got.length === wanted.length && at < 0) continue;
      problems.push(
        `${sink}: ${place} has ${got.length} of ${wanted.length}, and differs at ${at}`,
      );
    }
  };
  compare("large", await outcomeOf(engine, SINKS[1]), expectedLarge(count));
  compare("totals", await outcomeOf(engine, "totals"), expectedRunning(count));
  compare("alerts", await outcomeOf(engine, SINKS[0]), expectedAlerts(count));
  return problems;
}

/** All totals in their order, for a source of one shard. */
function expectedRunning(count: number): Outcome {
  const outcome: Outcome = new Map();
  for (const total of runningTotals(count))
    note(outcome, "totals", total.user, JSON.stringify(total));
  return outcome;
}

function expectedAlerts(count: number): Outcome {
  const outcome: Outcome = new Map();
  for (const { user, count: orders, cents, last } of runningTotals(count)) {
    if (orders % 5 !== 0) continue;
    note(outcome, SINKS[0], user, JSON.stringify({ user, last, count: orders }));
    note(outcome, SINKS[0], user, JSON.stringify({ user, last, cents }));
  }
  return outcome;
}

function* runningTotals(count: number): Generator<Total> {
  const totals = new Map<string, Total>();
  for (let number = 0; number < count; number++) {
    const { user, cents } = orderOf(number);
    if (cents % 7 === 0) continue;
    const before = totals.get(user) ?? { user, count: 0, cents: 0, last: -1 };
    const after = {
      ...{ user, count: before.count + 1, cents: before.cents + cents, last: number },
    };
    totals.set(user, after);
    yield after;
  }
}

/** Whether all stages have processed everything. */
export async function isDone(pipeline: {
  describe(): Promise<Pick<PipelineDescription, "edges">>;
}): Promise<boolean> {
  const { edges } = await pipeline.describe();
  return edges.every(({ group, lagRecords }) => group !== undefined && lagRecords === 0);
}

/** Puts orders `from` up to `to`. */
export async function putOrders(stream: Stream, from: number, to: number): Promise<void> {
  const records = Array.from({ length: to - from }, (_, i) => {
    const order = orderOf(from + i);
    return { partitionKey: productOf(order), data: JSON.stringify(order) };
  });
  const { failedRecordCount } = await stream.putRecords(records);
  if (failedRecordCount > 0) throw new Error(`${failedRecordCount} puts were refused`);
}
