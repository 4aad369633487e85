/** Services that are told apart although their streams have one ARN, and by what. */
import { Kinesis, KinesisClient, type KinesisClientConfig } from "@aws-sdk/client-kinesis";
import { afterEach, describe, expect, it, vi } from "vitest";
import { failureOf } from "../../support.ts";
import { MemoryLeases } from "../memory-leases.ts";
import { CREDENTIALS, endLater, openRemote, startServe } from "../support.ts";
import { groupOf, openEngine } from "./support.ts";

/** Long enough for machines that are halted now and then: nobody dies here. */
const SPANS = { failoverMs: 10_000 } as const;

/** A backend that calls by a client of the application. */
async function openBy(
  configuration: KinesisClientConfig,
  Client: typeof Kinesis | typeof KinesisClient = Kinesis,
) {
  const client = new Client({ credentials: CREDENTIALS, maxAttempts: 1, ...configuration });
  endLater(() => client.destroy());
  return await openRemote("", { client });
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("two services by clients of the application", () => {
  it("have leases of their own in one engine", async () => {
    const engine = await openEngine();
    const [here, there] = [(await startServe()).url, (await startServe()).url];
    const at = async (endpoint: string) => await openBy({ region: "us-east-1", endpoint });
    const one = await (await at(here)).streams.create("clicks", { shards: 2 });
    const other = await (await at(there)).streams.create("clicks", { shards: 3 });
    expect(other.arn).toBe(one.arn);
    const [ofOne, ofOther] = [
      await groupOf(one, engine, SPANS),
      await groupOf(other, engine, SPANS),
    ];
    expect((await ofOne.describe()).leases).toHaveLength(2);
    expect((await ofOther.describe()).leases).toHaveLength(3);
    // The same place is the same table, whoever makes its client.
    const again = await (await openRemote(here)).streams.get("clicks");
    await (await groupOf(again, engine, SPANS)).delete();
    expect(await failureOf(ofOne.describe())).toMatchObject({ name: "ResourceNotFoundError" });
    expect((await ofOther.describe()).leases).toHaveLength(3);
  });

  it("need tables of their own where their clients do not tell", async () => {
    const { url: endpoint } = await startServe();
    const inner = new Kinesis({ region: "us-east-1", endpoint, credentials: CREDENTIALS });
    endLater(() => inner.destroy());
    const client = { send: (command: Parameters<typeof inner.send>[0]) => inner.send(command) };
    const remote = await openRemote("", { client });
    expect(remote.name).toBe("the client's endpoint");
    const stream = await remote.streams.create("clicks");
    expect(await failureOf(groupOf(stream, await openEngine(), SPANS))).toMatchObject({
      ...{ name: "InvalidArgumentError", argument: "options.leases" },
    });
    const group = await groupOf(stream, new MemoryLeases(), SPANS);
    expect((await group.describe()).leases).toHaveLength(1);
  });
});

describe("the place of a client", () => {
  it.each<[string, KinesisClientConfig, string]>([
    ["its region", { region: "eu-west-1" }, "Kinesis in eu-west-1"],
    ["its region, when asked", { region: async () => "eu-west-1" }, "Kinesis in eu-west-1"],
    ["its endpoint", { region: "a", endpoint: "http://127.0.0.1:4567" }, "http://127.0.0.1:4567/"],
    ["with a path", { region: "a", endpoint: "https://host/base" }, "https://host/base"],
  ])("is %s", async (_what, configuration, place) => {
    expect((await openBy(configuration)).name).toBe(place);
    expect((await openBy(configuration, KinesisClient)).name).toBe(place);
  });

  it("is the environment's endpoint where it calls that one", async () => {
    const { url } = await startServe();
    vi.stubEnv("AWS_ENDPOINT_URL_KINESIS", url);
    const remote = await openBy({ region: "us-east-1" });
    await remote.streams.create("clicks");
    expect(remote.name).toBe(new URL(url).href);
    const again = await (await openRemote(url)).streams.list();
    expect(again.map(({ name }) => name)).toEqual(["clicks"]);
  });
});
