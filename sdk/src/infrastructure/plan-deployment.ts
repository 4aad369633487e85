/** From what an engine holds to what is to be made at AWS for it. */
import {
  type EngineClient,
  type MasterKeyDescription,
  ResourceNotFoundError,
  type StreamInventory,
} from "@millrace/engine";
import type { ConsumerPlan, Deployment, KeyPlan, StreamPlan } from "./deployment.ts";
import { engineNotes, streamNotes } from "./notes.ts";
import { type Named, type PolicyNode, rewritePolicy } from "./policy.ts";

const ALIAS = "alias/";

/** Plans a deployment of everything that an engine holds. @throws ResourceNotFoundError when it has no stream. */
export async function planDeployment(client: Pick<EngineClient, "call">): Promise<Deployment> {
  const inventory = await client.call("inventory", {});
  const facts = {
    inventory,
    groups: await client.call("groupsList", {}),
    jobs: await client.call("jobsList", {}),
    keys: await client.call("keysList", {}),
    losses: await client.call("dataLoss", {}),
  };
  const lasting = inventory.streams.filter(({ stream }) => stream.status !== "DELETING");
  const first = lasting[0];
  if (first === undefined) {
    throw new ResourceNotFoundError(`the engine "${inventory.name}" has no stream to export`, {
      argument: "name",
      value: inventory.name,
    });
  }
  const named = nameEverything(lasting, first.stream.arn);
  const keys = planKeys(lasting, facts.keys);
  return {
    engineName: inventory.name,
    streams: lasting.map((one) => planStream(one, named, keys)),
    keys: [...keys.values()].sort((left, right) => (left.label < right.label ? -1 : 1)),
    notes: engineNotes(facts),
  };
}

/** What policies can name: all that is exported. */
function nameEverything(streams: readonly StreamInventory[], arn: string): Named {
  const [, , , region = "", accountId = ""] = arn.split(":");
  const consumers = streams.flatMap(({ stream, consumers: registered }) =>
    registered
      .filter(({ status }) => status !== "DELETING")
      .map(({ arn: consumerArn, name: consumerName }) => {
        const reference = { kind: "consumer", streamName: stream.name, consumerName } as const;
        return [consumerArn.slice(consumerArn.indexOf("/") + 1), reference] as const;
      }),
  );
  const streamNames = new Set(streams.map(({ stream }) => stream.name));
  return { accountId, region, streamNames, consumers: new Map(consumers) };
}

/** The keys that streams are encrypted under, by their ids. */
function planKeys(
  streams: readonly StreamInventory[],
  known: readonly MasterKeyDescription[],
): Map<string, KeyPlan> {
  const keys = new Map<string, KeyPlan>();
  for (const { stream } of streams) {
    const keyId = stream.encryption?.masterKeyId;
    if (keyId === undefined || keys.has(keyId)) continue;
    const alias = known.find((key) => key.keyId === keyId)?.alias ?? undefined;
    const label = alias?.startsWith(ALIAS) ? alias.slice(ALIAS.length) : keyId;
    keys.set(keyId, { keyId, label, defaultName: alias });
  }
  return keys;
}

function planStream(
  inventory: StreamInventory,
  named: Named,
  keys: ReadonlyMap<string, KeyPlan>,
): StreamPlan {
  const { stream, tags, policy, shardMetrics, warmMibps, consumers } = inventory;
  const notes = streamNotes(inventory);
  const rewritten = planPolicy("its policy", policy, named, notes);
  const { name, mode, shards, retentionHours, recordKibMax, encryption } = stream;
  return {
    ...{ name, mode, shards, retentionHours, recordKibMax, warmMibps, shardMetrics, tags, notes },
    key: encryption === null ? undefined : keys.get(encryption.masterKeyId),
    policy: rewritten,
    consumers: consumers
      .filter(({ status }) => status !== "DELETING")
      .map(
        (consumer): ConsumerPlan => ({
          name: consumer.name,
          tags: consumer.tags,
          policy: planPolicy(
            `the policy of consumer ${consumer.name}`,
            consumer.policy,
            named,
            notes,
          ),
        }),
      ),
  };
}

/** A policy with references; what AWS would not take of it goes to the notes. */
function planPolicy(
  what: string,
  policy: string | null,
  named: Named,
  notes: string[],
): PolicyNode | undefined {
  if (policy === null) return undefined;
  const { document, strangers, lostConsumers } = rewritePolicy(policy, named);
  if (strangers.length > 0) {
    notes.push(
      `${what} names principals that AWS refuses unless they are made there first: ${strangers.join(", ")}.`,
    );
  }
  if (lostConsumers.length > 0) {
    notes.push(
      `${what} names consumers that are not exported, by ARNs of the engine: ${lostConsumers.join(", ")}.`,
    );
  }
  return document;
}
