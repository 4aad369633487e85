/** What a conformance case sees: one fresh service behind one of its faces. */
import type { InputOf, OperationName, OutputOf } from "@millrace/engine/model";

/** Input of an operation as a caller writes it. */
export type Input<Name extends OperationName> = InputOf<Name>;

/** An error as an AWS client shows it. */
export interface ServiceFailure extends Error {
  readonly name: string;
}

/** A call that a face's client has no words for, or its service. It says nothing about either's conformance. */
export class NoWordsError extends Error {
  override readonly name = "NoWordsError";
}

/** A service with virtual time, behind a face. */
export interface World {
  /** Makes a call. Rejects with an error whose name is AWS's. */
  call<Name extends OperationName>(operation: Name, input: Input<Name>): Promise<OutputOf<Name>>;
  /** Makes a call with an input that the types refuse. */
  callRaw(operation: OperationName, input: unknown): Promise<unknown>;
  /** The same service for a caller that is named by {@link OTHER_PRINCIPAL}. */
  readonly other: World;
  /** The service's keys, where the face has a way to them; see {@link WorldOptions.keys}. */
  readonly keys: KeyDesk;
  /** Lets virtual time pass. */
  advance(ms: number): Promise<void>;
  /** The service's wall time in ms since the Unix epoch. */
  now(): Promise<number>;
}

/** What KMS's console would do. */
export interface KeyDesk {
  create(options: { alias?: string; policy?: object }): Promise<{ readonly keyId: string }>;
  disable(keyId: string): Promise<unknown>;
  destroy(keyId: string): Promise<unknown>;
  setPolicy(keyId: string, policy: object): Promise<unknown>;
}

/** What a service is opened with for a case. */
export interface WorldOptions {
  readonly transitionMs?: number;
  readonly controlQuotas?: boolean;
  readonly quotas?: "aws" | "unlimited";
  /** Whether the case changes keys, which AWS's clients for Kinesis cannot. */
  readonly keys?: boolean;
}

/** Access key of the caller that `other` is. */
export const OTHER_ACCESS_KEY = "AKIDOTHERCALLER00000";
/** The principal that `other` calls as. */
export const OTHER_PRINCIPAL = `arn:aws:iam::000000000000:user/${OTHER_ACCESS_KEY}`;

/** One case of the table. */
export interface Case {
  readonly operation: OperationName;
  /** What it shows; for an error case the error's name. */
  readonly title: string;
  readonly error: string | undefined;
  readonly options: WorldOptions;
  readonly run: (world: World) => Promise<unknown>;
}

const registered: Case[] = [];

/** All cases that were written. */
export function allCases(): readonly Case[] {
  return registered;
}

/** A case in which the operation succeeds. */
export function succeeds(
  operation: OperationName,
  title: string,
  run: (world: World) => Promise<unknown>,
  options: WorldOptions = {},
): void {
  registered.push({ operation, title, error: undefined, options, run });
}

/** A case in which the call that `run` returns fails with an error. */
export function fails(
  operation: OperationName,
  error: string,
  title: string,
  run: (world: World) => Promise<unknown>,
  options: WorldOptions = {},
): void {
  registered.push({ operation, title, error, options, run });
}

/** Name of the stream that most cases use. */
export const STREAM = "clicks";
/** Its ARN. */
export const STREAM_ARN = `arn:aws:kinesis:us-east-1:000000000000:stream/${STREAM}`;

/** ARN of a stream that there is not. */
export const MISSING_STREAM_ARN = STREAM_ARN.replace(STREAM, "missing");
/** A StreamId: AWS keeps that member for itself. */
export const RESERVED_ID = "abcdefghij0123456789-abc";
/** A service that enforces the rates of control operations. */
export const CONTROL_RATES: WorldOptions = { controlQuotas: true };
/** A service in which what was made or changed is not ACTIVE for a second. */
export const SLOW_TRANSITIONS: WorldOptions = { transitionMs: 1000 };

/** Creates the stream that most cases use. */
export async function createStream(world: World, shardCount = 1): Promise<void> {
  await world.call("CreateStream", { StreamName: STREAM, ShardCount: shardCount });
}

/** Creates it in on-demand mode. */
export async function createOnDemand(world: World, name = STREAM): Promise<void> {
  await world.call("CreateStream", {
    StreamName: name,
    StreamModeDetails: { StreamMode: "ON_DEMAND" },
  });
}

/** Registers a consumer and returns its ARN. */
export async function registerConsumer(world: World, name = "dashboard"): Promise<string> {
  const { Consumer } = await world.call("RegisterStreamConsumer", {
    StreamARN: STREAM_ARN,
    ConsumerName: name,
  });
  return Consumer.ConsumerARN;
}

/** Text as data of a record. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Data of a record as text. */
export function text(data: Uint8Array | undefined): string {
  return new TextDecoder().decode(data);
}

/** Denies the other caller an action on a resource. */
export async function denyOther(
  world: World,
  action: string,
  resourceArn = STREAM_ARN,
): Promise<void> {
  await world.call("PutResourcePolicy", {
    ResourceARN: resourceArn,
    Policy: JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        {
          Sid: "NotTheOther",
          Effect: "Deny",
          Principal: { AWS: OTHER_PRINCIPAL },
          Action: `kinesis:${action}`,
          Resource: resourceArn,
        },
      ],
    }),
  });
}

/** Calls until the service answers LimitExceededException; for rates of control operations. */
export async function untilRefused(call: () => Promise<unknown>, callsMax = 60): Promise<void> {
  for (let i = 0; i < callsMax; i++) await call();
}
