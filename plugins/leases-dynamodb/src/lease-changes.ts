/** Changes of one lease as requests of DynamoDB, each on a condition, and how a lost answer to them is told. */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { type LeaseRow, refuse } from "millrace/plugin";
import type { DynamoCalls, Item } from "./dynamo-service.ts";
import { attributesOf, COUNTER, isSameRow, KEY } from "./lease-items.ts";

/** A change that DynamoDB makes whole, or not at all when its condition does not hold. */
export interface LeaseChange {
  readonly leaseKey: string;
  /** Asks for it once. */
  send(calls: DynamoCalls, signal: AbortSignal | undefined): Promise<unknown>;
  /** Whether the row is as the change leaves it; undefined when there is none. */
  isMadeIn(found: LeaseRow | undefined): boolean;
}

/** Attributes that a KCL may add at any time without another counter, and that a row without them does not take away. */
const ADDED_ASIDE: ReadonlySet<string> = new Set(["startingHashKey", "endingHashKey"]);

/** A lease's key as DynamoDB takes it. */
export function keyOf(leaseKey: string): Item {
  return { [KEY]: { S: leaseKey } };
}

/** Puts a lease where there is none of its key. */
export function insertion(tableName: string, row: LeaseRow): LeaseChange {
  const attributes = Object.entries(attributesOf(row)).filter(
    (entry): entry is [string, AttributeValue] => entry[1] !== undefined,
  );
  const input = {
    TableName: tableName,
    Item: { ...keyOf(row.leaseKey), ...Object.fromEntries(attributes) },
    ConditionExpression: "attribute_not_exists(#key)",
    ExpressionAttributeNames: { "#key": KEY },
  };
  return {
    leaseKey: row.leaseKey,
    send: (calls, signal) => calls.call("PutItem", input, signal),
    isMadeIn: (found) => found !== undefined && isSameRow(found, row),
  };
}

/**
 * Changes the attributes that are known here of a lease with this counter; it keeps all others that it has.
 *
 * @throws InvalidArgumentError for a counter that does not rise: made twice, the change could undo another's.
 */
export function replacement(tableName: string, row: LeaseRow, seenCounter: number): LeaseChange {
  if (!(row.counter > seenCounter)) {
    refuse("row.counter", `above ${seenCounter}`, row.counter, `above ${seenCounter}`);
  }
  const names: Record<string, string> = { "#counter": COUNTER };
  const values: Record<string, AttributeValue> = { ":seen": { N: String(seenCounter) } };
  const sets: string[] = [];
  const removes: string[] = [];
  // Every name is given by a placeholder: DynamoDB has several hundred words that it takes in no other way.
  for (const [i, [name, value]] of Object.entries(attributesOf(row)).entries()) {
    if (value === undefined && ADDED_ASIDE.has(name)) continue;
    names[`#a${i}`] = name;
    if (value === undefined) {
      removes.push(`#a${i}`);
    } else {
      values[`:a${i}`] = value;
      sets.push(`#a${i} = :a${i}`);
    }
  }
  const input = {
    TableName: tableName,
    Key: keyOf(row.leaseKey),
    UpdateExpression: `SET ${sets.join(", ")} REMOVE ${removes.join(", ")}`,
    ConditionExpression: "#counter = :seen",
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
  return {
    leaseKey: row.leaseKey,
    send: (calls, signal) => calls.call("UpdateItem", input, signal),
    isMadeIn: (found) => found !== undefined && isSameRow(found, row),
  };
}

/** Removes a lease, of this counter where one is given. */
export function removal(tableName: string, leaseKey: string, seenCounter?: number): LeaseChange {
  const condition =
    seenCounter === undefined
      ? {}
      : {
          ConditionExpression: "#counter = :seen",
          ExpressionAttributeNames: { "#counter": COUNTER },
          ExpressionAttributeValues: { ":seen": { N: String(seenCounter) } },
        };
  const input = { TableName: tableName, Key: keyOf(leaseKey), ...condition };
  return {
    leaseKey,
    send: (calls, signal) => calls.call("DeleteItem", input, signal),
    isMadeIn: (found) => found === undefined,
  };
}
