/** What a face is, and the parts that faces are made of. */
import * as sdk from "@aws-sdk/client-kinesis";
import type { OperationName } from "@millrace/engine/model";
import type { Case, KeyDesk, World, WorldOptions } from "./world.ts";

/** A service that was opened for one case. */
export interface OpenedWorld {
  readonly world: World;
  close(): Promise<void>;
}

/** One way to reach the service. */
export interface Face {
  readonly name: string;
  /** Why the face cannot be tried on this machine. */
  readonly problem?: string | undefined;
  /** Whether its client sends times in whole seconds, so that no test can name a millisecond. */
  readonly wholeSeconds?: boolean;
  /** Whether the face carries what a case needs. */
  readonly carries: (one: Case) => boolean;
  open(options: WorldOptions): Promise<OpenedWorld>;
}

/** Makes a call by the operation's name. */
export type Call = (operation: OperationName, input: unknown) => Promise<unknown>;

/** How a world's time passes. */
export interface Time {
  advance(ms: number): Promise<void>;
  now(): Promise<number>;
}

/** The world of a service: how its two callers call, and how its time passes. */
export function worldOf(call: Call, callAsOther: Call, time: Time, keys?: KeyDesk): World {
  const build = (own: Call, others: Call): World => ({
    call: (operation, input) => own(operation, input) as never,
    callRaw: own,
    get other() {
      return build(others, others);
    },
    get keys() {
      if (keys === undefined) throw new Error("this face has no way to the keys");
      return keys;
    },
    advance: time.advance,
    now: time.now,
  });
  return build(call, callAsOther);
}

/** Every command is made alike; only their types differ. */
type CommandClass = new (input: unknown) => sdk.ListStreamsCommand;

const exported: ReadonlyMap<string, unknown> = new Map(Object.entries(sdk));

/** Makes calls by name with an official client, which is not to try again by itself. */
export function callerOf(client: sdk.KinesisClient): Call {
  return async (operation, input) => {
    const Command = exported.get(`${operation}Command`) as CommandClass;
    const { $metadata: _, ...output } = await client.send(new Command(input));
    return output;
  };
}
