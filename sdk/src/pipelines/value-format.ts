/** How values of a pipeline stand in the data of records. */
import { InvalidArgumentError } from "@millrace/engine";
import type { ValueFormat } from "./pipeline-types.ts";

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The formats that there are. */
export const VALUE_FORMATS = ["json", "text", "bytes"] as const satisfies readonly ValueFormat[];

/** The value in a record's data, which it shares no memory with. @throws SyntaxError or TypeError when it is none. */
export function decodeValue(format: ValueFormat, data: Uint8Array<ArrayBuffer>): unknown {
  if (format === "bytes") return data.slice();
  const text = DECODER.decode(data);
  return format === "text" ? text : JSON.parse(text);
}

/** The data that a value is stored as. @throws InvalidArgumentError for one that the format cannot hold. */
export function encodeValue(format: ValueFormat, value: unknown): string | Uint8Array<ArrayBuffer> {
  if (format === "json") {
    const text: string | undefined = JSON.stringify(value);
    if (text !== undefined) return text;
  } else if (format === "text" && typeof value === "string") return value;
  else if (format === "bytes" && value instanceof Uint8Array) return new Uint8Array(value);
  throw new InvalidArgumentError(`a value of type ${typeof value} cannot be stored as ${format}`, {
    ...{ argument: "value", value: typeof value, limit: format },
  });
}
