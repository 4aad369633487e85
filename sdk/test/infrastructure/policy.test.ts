/** Resource policies on their way to AWS: what becomes a reference, and what is told. */
import { exportInfrastructure } from "millrace/infrastructure";
import { beforeAll, describe, expect, it } from "vitest";
import { openEngine } from "../support.ts";
import { checkConfiguration, checkTemplate } from "./published-schemas.ts";
import { arnOf, callerOf } from "./support.ts";
import { Judge, nameValidators } from "./validators.ts";

const ACTIONS = ["kinesis:DescribeStreamSummary", "kinesis:SubscribeToShard"];
const HERE = "arn:aws:kinesis:us-east-1:000000000000";

const TIMEOUT_MS = 120_000;
const judge = new Judge();

beforeAll(nameValidators);

async function filled() {
  const millrace = await openEngine();
  const call = callerOf(millrace);
  for (const name of ["clicks", "views"]) await millrace.streams.create(name);
  const { Consumer } = (await call("RegisterStreamConsumer", {
    ...{ StreamARN: arnOf("clicks"), ConsumerName: "app" },
  })) as { Consumer: { ConsumerARN: string } };
  const put = (ResourceARN: string, ...Statement: object[]): Promise<unknown> => {
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
    return call("PutResourcePolicy", { ResourceARN, Policy });
  };
  return { millrace, put, consumerArn: Consumer.ConsumerARN };
}

describe("policies", () => {
  it("name what is made at AWS, in its account and region", async () => {
    const { millrace, put, consumerArn } = await filled();
    await put(arnOf("clicks"), {
      Effect: "Allow",
      Principal: { AWS: ["000000000000", "arn:aws:iam::000000000000:root", "123456789012"] },
      Action: ACTIONS,
      Resource: arnOf("clicks").replace("us-east-1:000000000000", "eu-west-1:123456789012"),
      Condition: {
        ArnLike: { "aws:SourceArn": [arnOf("views"), `${HERE}:stream/v*`, consumerArn] },
        StringLike: { "aws:PrincipalTag/user": `\${aws:username}-000000000000` },
        StringEquals: { "aws:PrincipalAccount": "0000000000001" },
      },
    });
    const elsewhere = consumerArn.replace("us-east-1:000000000000", "eu-west-1:123456789012");
    const statement = { Effect: "Allow", Principal: "*", Action: ACTIONS[1], Resource: elsewhere };
    const Condition = {
      StringEquals: { "aws:PrincipalTag/user": `\${aws:username}` },
      StringLike: {
        "aws:PrincipalTag/team": ["$", "a$$", "100%"].map((sign) => `${sign}000000000000`),
      },
    };
    await put(consumerArn, { ...statement, Condition });
    const text = await exportInfrastructure(millrace, { format: "cloudformation" });
    const { Resources } = checkTemplate(text);
    const consumer = { "Fn::GetAtt": ["ConsumerClicksApp", "ConsumerARN"] };
    expect(Resources["StreamClicksPolicy"]?.Properties).toEqual({
      ResourceArn: { "Fn::GetAtt": ["StreamClicks", "Arn"] },
      ResourcePolicy: {
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Principal: {
              AWS: [
                { Ref: "AWS::AccountId" },
                { "Fn::Sub": `arn:aws:iam::\${AWS::AccountId}:root` },
                "123456789012",
              ],
            },
            Action: ACTIONS,
            Resource: { "Fn::GetAtt": ["StreamClicks", "Arn"] },
            Condition: {
              ArnLike: {
                "aws:SourceArn": [
                  { "Fn::GetAtt": ["StreamViews", "Arn"] },
                  { "Fn::Sub": `arn:aws:kinesis:\${AWS::Region}:\${AWS::AccountId}:stream/v*` },
                  consumer,
                ],
              },
              StringLike: {
                "aws:PrincipalTag/user": { "Fn::Sub": `\${!aws:username}-\${AWS::AccountId}` },
              },
              StringEquals: { "aws:PrincipalAccount": "0000000000001" },
            },
          },
        ],
      },
    });
    expect(Resources["ConsumerClicksAppPolicy"]?.Properties["ResourceArn"]).toEqual(consumer);
    expect(Resources["StreamClicks"]).not.toHaveProperty("Metadata");
    const configuration = await exportInfrastructure(millrace, { format: "terraform" });
    judge.note(text, configuration);
    const policies = checkConfiguration(configuration)
      .resources.filter(({ type }) => type === "aws_kinesis_resource_policy")
      .map(({ values }) => JSON.parse(String(values["policy"])) as object);
    const account = `\${data.aws_caller_identity.current.account_id}`;
    const region = `\${data.aws_region.current.region}`;
    expect(policies[0]).toMatchObject({
      Statement: [
        {
          Principal: { AWS: [account, `arn:aws:iam::${account}:root`, "123456789012"] },
          Resource: `\${aws_kinesis_stream.clicks.arn}`,
          Condition: {
            ArnLike: {
              "aws:SourceArn": [
                `\${aws_kinesis_stream.views.arn}`,
                `arn:aws:kinesis:${region}:${account}:stream/v*`,
                `\${aws_kinesis_stream_consumer.clicks--app.arn}`,
              ],
            },
            StringLike: { "aws:PrincipalTag/user": `\${aws:username}-${account}` },
          },
        },
      ],
    });
    expect(policies[1]).toMatchObject({
      Statement: [
        {
          Condition: {
            StringEquals: { "aws:PrincipalTag/user": `\${aws:username}` },
            StringLike: {
              "aws:PrincipalTag/team": [`$${account}`, `a$$${account}`, `100%${account}`],
            },
          },
        },
      ],
    });
  });

  it("are told of when they name principals or consumers that AWS does not have", async () => {
    const { millrace, put } = await filled();
    const plugin = "arn:aws:iam::000000000000:role/plugin/shop";
    const gone = `${arnOf("clicks")}/consumer/gone:1600000000`;
    await put(arnOf("clicks"), {
      ...{ Effect: "Allow", Action: ACTIONS, Resource: arnOf("clicks") },
      Principal: { AWS: [plugin, "arn:aws:iam::123456789012:role/theirs"] },
      Condition: { ArnEquals: { "aws:SourceArn": gone } },
    });
    const text = await exportInfrastructure(millrace, { format: "cloudformation" });
    expect(checkTemplate(text).Resources["StreamClicks"]?.Metadata?.Millrace.Notes).toEqual([
      `its policy names principals that AWS refuses unless they are made there first: ${plugin}.`,
      `its policy names consumers that are not exported, by ARNs of the engine: ${gone}.`,
    ]);
  });
});

describe("the tools' own validators, where the machine has them", () => {
  it("take the templates above", () => judge.lintTemplates(), TIMEOUT_MS);
  it("take the configurations above", () => judge.loadConfigurations(), TIMEOUT_MS);
});
