/** Operations on resources over a real log: every family of theirs in one table, and subscriptions. */
import { enabledShardMetrics } from "../../src/metrics/enabled-metrics.ts";
import type { InputOf, OutputOf } from "../../src/model/shapes.ts";
import { channelOperations } from "../../src/service/operations/channels.ts";
import { consumerOperations } from "../../src/service/operations/consumers.ts";
import { monitoringOperations } from "../../src/service/operations/monitoring.ts";
import type { OperationContext, OperationTable } from "../../src/service/operations/operation.ts";
import { policyOperations } from "../../src/service/operations/policies.ts";
import { tagOperations } from "../../src/service/operations/tags.ts";
import type { StreamSpec } from "../../src/streams/stream-types.ts";
import { Subscriptions } from "../../src/streams/subscriptions.ts";
import { type ContextOptions, openContext, type TestContext } from "./operations.ts";

/** Operations that a {@link ResourceBench} can call. */
export type ResourceOperation =
  | keyof typeof channelOperations
  | keyof typeof consumerOperations
  | keyof typeof monitoringOperations
  | keyof typeof policyOperations
  | keyof typeof tagOperations;

const table: Pick<OperationTable, ResourceOperation> = {
  ...channelOperations,
  ...consumerOperations,
  ...monitoringOperations,
  ...policyOperations,
  ...tagOperations,
};

/** A context with what its resources need besides. */
export class ResourceBench {
  readonly test: TestContext;
  readonly context: OperationContext;
  readonly subscriptions: Subscriptions;

  private constructor(test: TestContext) {
    const { context, platform } = test;
    const { documents, metrics, options } = context;
    metrics.follow((streamUid) => enabledShardMetrics(documents, streamUid));
    this.test = test;
    this.context = context;
    this.subscriptions = new Subscriptions(platform.clock, platform.random, {
      readQuotas: options.quotas === "aws",
      controlQuotas: options.controlQuotas ?? false,
    });
    this.subscriptions.follow(context);
  }

  static async open(options: ContextOptions = {}): Promise<ResourceBench> {
    return new ResourceBench(await openContext(options));
  }

  /** The same store, recovered after the process died. */
  async reopen(): Promise<ResourceBench> {
    return await ResourceBench.open({
      ...this.context.options,
      platform: this.test.platform.restart(),
    });
  }

  async createStream(name = "clicks", spec: Partial<StreamSpec> = {}): Promise<void> {
    const whole = { name, shards: 2, retentionHours: 24, recordKibMax: 1024, ...spec };
    await this.context.catalogue.create(whole);
  }

  /** Calls an operation as `invoke` does: the input is validated first. */
  async call<Name extends ResourceOperation>(
    name: Name,
    input: InputOf<Name>,
    principal?: string,
  ): Promise<OutputOf<Name>> {
    return await this.test.invoke(table, name, input, principal);
  }

  /** The code of the error that a call ends with; "none" when it succeeds. */
  async codeOf<Name extends ResourceOperation>(
    name: Name,
    input: InputOf<Name>,
    principal?: string,
  ): Promise<string> {
    try {
      await this.call(name, input, principal);
      return "none";
    } catch (error) {
      if (error instanceof Error && "code" in error) return String(error.code);
      throw error;
    }
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.test.advance(ms);
  }
}
