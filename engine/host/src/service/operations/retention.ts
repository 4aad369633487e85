/** IncreaseStreamRetentionPeriod and DecreaseStreamRetentionPeriod. */
import { InvalidArgumentError } from "../../errors/index.ts";
import type { StreamDefinition } from "../../log/control-records.ts";
import type { InputOf } from "../../model/shapes.ts";
import { RETENTION_HOURS, retainingRecords } from "../../streams/retention.ts";
import { type LocatingCall, locateActiveStream } from "./located-stream.ts";
import type { Operation, OperationContext, OperationTable } from "./operation.ts";

/** Sets a stream's retention period; the period that it has already is no change. */
async function retain(
  context: OperationContext,
  input: InputOf<"IncreaseStreamRetentionPeriod">,
  call: LocatingCall,
  check: (stream: StreamDefinition, hours: number) => void,
): Promise<undefined> {
  const { catalogue } = context;
  const hours = input.RetentionPeriodHours;
  await catalogue.change(() => {
    const stream = locateActiveStream(context, input, call);
    checkRange(hours);
    check(stream, hours);
    if (hours === stream.retentionHours) return [];
    return retainingRecords(catalogue, stream, hours);
  });
  return undefined;
}

function checkRange(hours: number): void {
  const requested = `Requested retention period (${hours} hours)`;
  const details = { argument: "RetentionPeriodHours", value: hours };
  if (hours < RETENTION_HOURS.min) {
    throw new InvalidArgumentError(
      `Minimum allowed retention period is ${RETENTION_HOURS.min} hours. ${requested} is too short.`,
      { ...details, limit: RETENTION_HOURS.min },
    );
  }
  if (hours > RETENTION_HOURS.max) {
    throw new InvalidArgumentError(
      `Maximum allowed retention period is ${RETENTION_HOURS.max} hours. ${requested} is too long.`,
      { ...details, limit: RETENTION_HOURS.max },
    );
  }
}

function refused(
  stream: StreamDefinition,
  hours: number,
  comparison: "shorter" | "longer",
): InvalidArgumentError {
  const other = comparison === "shorter" ? "Decrease" : "Increase";
  return new InvalidArgumentError(
    `Requested retention period (${hours} hours) for stream ${stream.name} can not be ${comparison} ` +
      `than existing retention period (${stream.retentionHours} hours). Use ${other}RetentionPeriod API.`,
    { argument: "RetentionPeriodHours", value: hours, limit: stream.retentionHours },
  );
}

const increase: Operation<"IncreaseStreamRetentionPeriod"> = (context, input, caller) =>
  retain(
    context,
    input,
    { operation: "IncreaseStreamRetentionPeriod", caller },
    (stream, hours) => {
      if (hours < stream.retentionHours) throw refused(stream, hours, "shorter");
    },
  );

const decrease: Operation<"DecreaseStreamRetentionPeriod"> = (context, input, caller) =>
  retain(
    context,
    input,
    { operation: "DecreaseStreamRetentionPeriod", caller },
    (stream, hours) => {
      if (hours > stream.retentionHours) throw refused(stream, hours, "longer");
    },
  );

/** Operations about retention. */
export const retentionOperations: Pick<
  OperationTable,
  "IncreaseStreamRetentionPeriod" | "DecreaseStreamRetentionPeriod"
> = {
  IncreaseStreamRetentionPeriod: increase,
  DecreaseStreamRetentionPeriod: decrease,
};
