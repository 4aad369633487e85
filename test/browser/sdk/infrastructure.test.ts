/** In a real worker: an engine's streams as infrastructure code. */
import { assert } from "chai";
import { open } from "millrace";
import { awsFace } from "millrace/aws";
import { exportInfrastructure } from "millrace/infrastructure";
import { newName } from "./support.ts";

it("a page exports its engine's streams, consumers, tags and keys, in both formats", async () => {
  const name = newName();
  const millrace = await open({ name });
  const stream = await millrace.streams.create("my-clicks", { shards: 3, durability: "relaxed" });
  await stream.startEncryption({ keyId: "alias/aws/kinesis" });
  const call = awsFace(millrace);
  const { arn } = await stream.describe();
  await call.execute("TagResource", { ResourceARN: arn, Tags: { été: "日本 𝒳" } });
  await call.execute("RegisterStreamConsumer", { StreamARN: arn, ConsumerName: "app" });
  const text = await exportInfrastructure(millrace, { format: "cloudformation" });
  const { Parameters, Resources } = JSON.parse(text) as Record<string, Record<string, object>>;
  const [parameter] = Object.keys(Parameters ?? {});
  const [clicks, app] = Object.values(Resources ?? {}) as { Type: string; Properties: object }[];
  assert.deepEqual(clicks?.Properties, {
    ...{ Name: "my-clicks", StreamModeDetails: { StreamMode: "PROVISIONED" }, ShardCount: 3 },
    ...{ RetentionPeriodHours: 24, MaxRecordSizeInKiB: 1024 },
    StreamEncryption: { EncryptionType: "KMS", KeyId: { Ref: parameter } },
    Tags: [{ Key: "été", Value: "日本 𝒳" }],
  });
  assert.deepInclude(app?.Properties, { ConsumerName: "app" });
  assert.include(text, 'durability \\"relaxed\\" has no counterpart');
  const configuration = await exportInfrastructure(millrace, { format: "terraform" });
  assert.include(configuration, 'resource "aws_kinesis_stream" "my-clicks" {');
  assert.include(configuration, '"\\u00e9t\\u00e9" = "日本 𝒳"');
  await millrace.close();
});
