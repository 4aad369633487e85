/** The host of transforms: runs one, and holds it to its contract. */
import { systemClock } from "@millrace/engine";
import type { Plugin } from "./define-plugin.ts";
import { checkManifest, type Manifest, pluginName } from "./manifest.ts";
import { PluginError } from "./plugin-error.ts";
import type { RecordBatch } from "./record-batch.ts";
import type { Outcome, Transform, TransformContext } from "./transform.ts";

/** A transform that a host runs. */
export interface OpenTransform {
  readonly manifest: Manifest<"transform">;
  /**
   * Runs the transform over a batch; outcomes are in the order of its records. What the context leaves
   * out is: a signal that is never aborted, no stream, the machine's time.
   *
   * @throws PluginError when the plugin throws or does not answer every record exactly once.
   * @throws the signal's reason.
   */
  transform(batch: RecordBatch, context?: Partial<TransformContext>): Promise<readonly Outcome[]>;
  /** Lets the plugin go of what it holds. Safe to call twice. @throws PluginError when the plugin throws. */
  close(): Promise<void>;
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return "result" in value ? `{result: ${String(value.result)}}` : "an object without a result";
}

/** What is wrong with an outcome; undefined when it is one. */
function flawOf(outcome: unknown): string | undefined {
  if (typeof outcome !== "object" || outcome === null || !("result" in outcome)) {
    return `is ${describe(outcome)}, not an outcome`;
  }
  if (outcome.result === "Dropped") return undefined;
  if (outcome.result === "Ok") {
    const data = "data" in outcome ? outcome.data : undefined;
    if (typeof data === "string" || data instanceof Uint8Array) return undefined;
    return "is Ok with data that is neither a string nor a Uint8Array";
  }
  if (outcome.result === "ProcessingFailed") {
    const told =
      "code" in outcome &&
      typeof outcome.code === "string" &&
      "message" in outcome &&
      typeof outcome.message === "string";
    return told ? undefined : "is ProcessingFailed without a code and a message";
  }
  return `is ${describe(outcome)}; known are Ok, Dropped and ProcessingFailed`;
}

class TransformHost implements OpenTransform {
  readonly manifest: Manifest<"transform">;
  readonly #name: string;
  readonly #transform: Transform;
  #closing: Promise<void> | undefined;

  constructor(manifest: Manifest<"transform">, transform: Transform) {
    this.manifest = manifest;
    this.#name = pluginName(manifest);
    this.#transform = transform;
  }

  async transform(
    batch: RecordBatch,
    context: Partial<TransformContext> = {},
  ): Promise<readonly Outcome[]> {
    if (this.#closing !== undefined) throw this.#error("is closed");
    const signal = context.signal ?? new AbortController().signal;
    signal.throwIfAborted();
    const { stream = "", now = systemClock.nowMs } = context;
    let outcomes: unknown;
    try {
      outcomes = await this.#transform.transform(batch, { signal, stream, now });
    } catch (error) {
      signal.throwIfAborted();
      throw this.#error(`threw: ${String(error)}`, error);
    }
    return this.#check(batch, outcomes);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#transform.close?.();
    } catch (error) {
      throw this.#error(`threw at its end: ${String(error)}`, error);
    }
  }

  #check(batch: RecordBatch, outcomes: unknown): readonly Outcome[] {
    if (!Array.isArray(outcomes)) throw this.#error(`answered ${describe(outcomes)}, not an array`);
    if (outcomes.length !== batch.length) {
      throw this.#error(
        `answered ${outcomes.length} times for ${batch.length} records, not exactly once for each`,
      );
    }
    for (let i = 0; i < outcomes.length; i++) {
      const flaw = flawOf(outcomes[i]);
      if (flaw !== undefined)
        throw this.#error(`: its answer to record ${i} (${batch.id(i)}) ${flaw}`);
    }
    return outcomes;
  }

  #error(what: string, cause?: unknown): PluginError {
    const message = `plugin ${this.#name} ${what}`.replace(" : ", ": ");
    return new PluginError(message, { argument: "plugin", value: this.#name, cause }, this.#name);
  }
}

/**
 * Sets a transform to work.
 *
 * @throws PluginError when its manifest is not for this host, or it throws, as at a bad configuration.
 */
export function openTransform<Config = void>(
  plugin: Plugin<Config, "transform">,
  ...[config]: Config extends void ? [] : [config: Config]
): OpenTransform {
  checkManifest(plugin.manifest);
  const name = pluginName(plugin.manifest);
  const fail = (what: string, cause?: unknown): never => {
    const details = { argument: "plugin", value: name, cause };
    throw new PluginError(`plugin ${name} ${what}`, details, name);
  };
  let transform: Transform;
  try {
    transform = plugin.create(config as Config);
  } catch (error) {
    return fail(`threw when it was set to work: ${String(error)}`, error);
  }
  if (typeof transform?.transform !== "function") return fail("has no function transform");
  return new TransformHost(plugin.manifest, transform);
}
