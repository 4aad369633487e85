/** Groups of two workers with their leases in DynamoDB, over streams that are split and merged meanwhile. */
import type { UserRecord } from "millrace";
import type { RemoteMillrace } from "millrace/remote";
import { describe, expect, it } from "vitest";
import { eventsOf, Notes, sorted, textOf, texts, until } from "../../../sdk/test/groups/support.ts";
import { groupOf, inOrder, put, startNoted } from "../../../sdk/test/remote/groups/support.ts";
import { rowsOf } from "../../../sdk/test/remote/lease-table-contract.ts";
import {
  http1,
  openRemote,
  startKinesalite,
  startServe,
} from "../../../sdk/test/remote/support.ts";
import { leasesAt, startDynalite } from "./support.ts";

const STREAM = "clicks";

/** Services of streams; each call of what `start` resolves with is another client of the one that it started. */
const services: readonly {
  readonly name: string;
  start(): Promise<() => Promise<RemoteMillrace>>;
}[] = [
  {
    name: "kinesalite",
    start: async () => {
      const url = await startKinesalite();
      return async () => await openRemote(url, { requestHandler: http1() });
    },
  },
  {
    name: "millrace serve",
    start: async () => {
      const { url } = await startServe();
      return async () => await openRemote(url);
    },
  },
];

/** Records without those that came before; what is given again is given in order as well, but later. */
function firstTimes(records: readonly UserRecord[]): UserRecord[] {
  const seen = new Set<string>();
  return records.filter((record) => {
    const text = textOf(record);
    return !seen.has(text) && seen.add(text);
  });
}

describe.each(services)("over $name, with leases in DynamoDB", ({ start }) => {
  it("two workers give every record, each key in order, while shards split and merge", async () => {
    const [another, dynamo] = [await start(), await startDynalite()];
    const stream = await (await another()).streams.create(STREAM, { shards: 2 });
    const all = new Notes();
    const startWorker = async (workerId: string) => {
      const own = await (await another()).streams.get(STREAM);
      const group = await groupOf(own, leasesAt(dynamo), { failoverMs: 2000 });
      const { worker } = startNoted(group, { workerId }, all);
      return { worker, events: eventsOf(worker) };
    };
    const given = (): number => new Set(all.texts).size;
    await put(stream, 0, 200);
    const [one, two] = [await startWorker("one"), await startWorker("two")];
    await until(() => one.worker.leases.length === 1 && two.worker.leases.length === 1);
    await put(stream, 200, 300);
    await stream.split("shardId-000000000000");
    await put(stream, 300, 400);
    await until(() => given() === 400);
    await stream.merge("shardId-000000000003", "shardId-000000000001");
    await put(stream, 400, 500);
    await until(() => given() === 500);
    await until(() => one.worker.leases.length === 1 && two.worker.leases.length === 1);
    expect(sorted([...new Set(all.texts)])).toEqual(texts(0, 500));
    expect(inOrder(firstTimes(all.records))).toBe(true);
    const ended = [...one.events, ...two.events].flatMap((event) =>
      event.kind === "shard-ended" ? [Number(event.shardId.slice(-1))] : [],
    );
    expect([...new Set(ended)].sort()).toEqual([0, 1, 3]);
    const rows = await rowsOf(leasesAt(dynamo));
    const begun = rows.filter(({ checkpoint }) => checkpoint !== "SHARD_END");
    expect(begun.map(({ leaseKey }) => Number(leaseKey.slice(-1)))).toEqual([2, 4]);
    expect(begun.map(({ owner }) => owner).sort()).toEqual(["one", "two"]);
  }, 60_000);
});
