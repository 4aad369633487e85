/** What there is to know of DynamoDB to call it. */
import type {
  AttributeValue,
  CreateTableCommandInput,
  CreateTableCommandOutput,
  DeleteItemCommandInput,
  DeleteItemCommandOutput,
  DescribeTableCommandInput,
  DescribeTableCommandOutput,
  GetItemCommandInput,
  GetItemCommandOutput,
  PutItemCommandInput,
  PutItemCommandOutput,
  ScanCommandInput,
  ScanCommandOutput,
  UpdateItemCommandInput,
  UpdateItemCommandOutput,
} from "@aws-sdk/client-dynamodb";
import type { AwsService, RemoteCalls } from "millrace/remote";

/** An item: values by the names of their attributes. */
export type Item = Readonly<Record<string, AttributeValue>>;

/** The operations that leases need, of DynamoDB's. */
export type DynamoOperations = {
  readonly CreateTable: { input: CreateTableCommandInput; output: CreateTableCommandOutput };
  readonly DeleteItem: { input: DeleteItemCommandInput; output: DeleteItemCommandOutput };
  readonly DescribeTable: { input: DescribeTableCommandInput; output: DescribeTableCommandOutput };
  readonly GetItem: { input: GetItemCommandInput; output: GetItemCommandOutput };
  readonly PutItem: { input: PutItemCommandInput; output: PutItemCommandOutput };
  readonly Scan: { input: ScanCommandInput; output: ScanCommandOutput };
  readonly UpdateItem: { input: UpdateItemCommandInput; output: UpdateItemCommandOutput };
};

/** Calls to DynamoDB. */
export type DynamoCalls = RemoteCalls<DynamoOperations>;

/** DynamoDB. */
export const DYNAMODB: AwsService = {
  name: "DynamoDB",
  packageName: "@aws-sdk/client-dynamodb",
  className: "DynamoDB",
  load: () => import("@aws-sdk/client-dynamodb"),
  everywhere: new Set<keyof DynamoOperations>([
    "CreateTable",
    "DeleteItem",
    "DescribeTable",
    "GetItem",
    "PutItem",
    "Scan",
    "UpdateItem",
  ]),
  reads: /^(Describe|Get|Scan)/,
  needed: { CreateTable: "TableDescription", DescribeTable: "Table", Scan: "Items" },
};
