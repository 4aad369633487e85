/** Replications as applications write them for jobs: bundled apart from the jobs worker, with a copy of the package. */
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { AccessDeniedError, defineReplication, type JobContext, open } from "millrace";
import { kinesis, type RemoteMillrace, type RemoteStream } from "millrace/remote";

/** What the tests' desk says of the far side, asked anew by every worker. */
export interface DeskAnswer {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** After so many calls were answered, the worker ends before it hears of the last one; never when null. */
  readonly answersMax: number | null;
}

async function ask({ settings }: JobContext): Promise<DeskAnswer> {
  const { desk } = settings as { desk: string };
  return (await (await fetch(desk)).json()) as DeskAnswer;
}

async function openRemote({ endpoint, credentials }: DeskAnswer): Promise<RemoteMillrace> {
  const requestHandler = new NodeHttpHandler({ connectionTimeout: 5000 });
  const region = "us-east-1";
  const backend = kinesis({ region, endpoint, credentials, requestHandler, deadlineMs: 400 });
  return await open({ backend });
}

async function openFar(answer: DeskAnswer): Promise<RemoteStream> {
  return await (await openRemote(answer)).streams.get("clicks");
}

/** Ships to where the desk says. */
export const ship = defineReplication(async (context) => await openFar(await ask(context)));

/** Bytes that one call of {@link shipAndDie} holds at most. */
export const CALL_BYTES_MAX = 131_072;

/** Ships as {@link ship}, and ends its thread at once when the desk says so. */
export const shipAndDie = defineReplication(
  async (context) => {
    const answer = await ask(context);
    const far = await openFar(answer);
    const target = far.target();
    let answers = 0;
    const putRecords: typeof target.putRecords = async (records) => {
      const outcomes = await target.putRecords(records);
      answers += 1;
      if (answers === answer.answersMax) process.exit(3);
      return outcomes;
    };
    const { name, identity, orderedBytesMax } = target;
    const listShards = () => target.listShards();
    const dying = { name, identity, orderedBytesMax, putRecords, listShards };
    return { name: far.name, target: () => dying };
  },
  { bytesPerSecondMax: CALL_BYTES_MAX },
);

/** Ships as {@link ship}, and closes the far side soon when the desk wants no answers. */
export const shipAndClose = defineReplication(async (context) => {
  const answer = await ask(context);
  const remote = await openRemote(answer);
  if (answer.answersMax === 0) setTimeout(() => void remote.close(), 200);
  return await remote.streams.get("clicks");
});

/** Asks for what there is not. */
export const misspelt = defineReplication(
  async (context) => await openFar(await ask(context)),
  JSON.parse('{ "agregate": false }'),
);

/** Opens what refuses everything at once, without a way to it. */
export const refused = defineReplication(() => {
  const refuse = async (): Promise<never> => {
    throw new AccessDeniedError("nothing is taken here");
  };
  const target = {
    ...{ name: "a wall", orderedBytesMax: 0 },
    ...{ putRecords: refuse, listShards: refuse },
  };
  return { name: "clicks", target: () => target };
});

/** Opens nothing. */
export const nowhere = defineReplication(() => JSON.parse("null"));
