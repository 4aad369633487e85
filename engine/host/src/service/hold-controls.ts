/** The control operations by which a stream's retention is held; they are the application's own. */
import { ROOT_PRINCIPAL } from "../access/principals.ts";
import type { ControlRecord, StreamDefinition } from "../log/control-records.ts";
import type { Catalogue } from "../streams/catalogue.ts";
import type { HoldOperations } from "../streams/hold-operations.ts";
import { holdingRecords, releasingRecords } from "../streams/retention.ts";
import type { Lives } from "./lives.ts";
import type { OperationContext } from "./operations/operation.ts";
import { streamResource } from "./operations/resources.ts";
import { checkHold, checkHolder } from "./validate.ts";

type HoldHandlers = {
  readonly [Operation in keyof HoldOperations]: (
    argument: Parameters<HoldOperations[Operation]>[0],
  ) => Promise<ReturnType<HoldOperations[Operation]>>;
};

/** AWS's operations that a change stands for: policies that deny them deny it. */
const HOLDING = ["AddTagsToStream", "IncreaseStreamRetentionPeriod"] as const;
const RELEASING = ["RemoveTagsFromStream", "DecreaseStreamRetentionPeriod"] as const;

/** Handlers of the control operations by which retention is held. */
export function holdHandlers(lives: Lives): HoldHandlers {
  return {
    retentionHold: (argument) =>
      lives.attempt(async ({ context }) => {
        checkHold(argument);
        const { streamName, holder, hours } = argument;
        return await change(context, streamName, HOLDING, (catalogue, stream) =>
          holdingRecords(catalogue, stream, holder, hours),
        );
      }),
    retentionRelease: (argument) =>
      lives.attempt(async ({ context }) => {
        checkHolder(argument);
        const { streamName, holder } = argument;
        return await change(context, streamName, RELEASING, (catalogue, stream) =>
          releasingRecords(catalogue, stream, holder),
        );
      }),
  };
}

async function change(
  { catalogue, access }: OperationContext,
  streamName: string,
  [tagging, retaining]: typeof HOLDING | typeof RELEASING,
  decide: (catalogue: Catalogue, stream: StreamDefinition) => readonly ControlRecord[],
): Promise<null> {
  await catalogue.change(() => {
    const stream = catalogue.get(streamName);
    const records = decide(catalogue, stream);
    if (records.length === 0) return [];
    catalogue.requireActive(stream);
    access.check(ROOT_PRINCIPAL, tagging, streamResource(stream));
    if (records.some(({ kind }) => kind === "stream-updated")) {
      access.check(ROOT_PRINCIPAL, retaining, streamResource(stream));
    }
    return records;
  });
  return null;
}
