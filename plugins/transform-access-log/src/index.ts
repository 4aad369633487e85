/** A transform: access log lines in Apache's combined format to JSON. */
import { definePlugin, type Outcome, type Plugin } from "millrace/plugin";
import { parseLine } from "./parse-line.ts";
import { LineMismatch } from "./scanner.ts";

export type { AccessLogEntry } from "./parse-line.ts";

function transformLine(line: string): Outcome {
  try {
    return { result: "Ok", data: JSON.stringify(parseLine(line)) };
  } catch (error) {
    if (!(error instanceof LineMismatch)) throw error;
    return { result: "ProcessingFailed", code: "AccessLog.LineMismatch", message: error.message };
  }
}

/**
 * Makes the transform. Each record holds one line; it becomes the JSON of an {@link AccessLogEntry}, or
 * fails with the code `AccessLog.LineMismatch` and what was expected at which column.
 */
export function accessLog(): Plugin<void, "transform"> {
  return definePlugin(
    {
      id: "millrace/transform-access-log",
      version: "0.1.0",
      api: "1.0",
      kind: "transform",
      title: "Access log to JSON",
      description: "Reads lines of Apache's combined log format.",
    },
    () => ({
      transform: (batch) =>
        Array.from({ length: batch.length }, (_, i) => transformLine(batch.text(i))),
    }),
  );
}
