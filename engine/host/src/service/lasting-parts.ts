/** What belongs to an engine and not to one life of it, so that a recovery loses none of it. */
import { FaultInjector } from "../faults/fault-injector.ts";
import { MetricsRegistry } from "../metrics/metrics-registry.ts";
import { ShardCounters } from "../metrics/shard-counters.ts";
import type { Platform } from "../platform/platform.ts";
import { Subscriptions } from "../streams/subscriptions.ts";
import { EngineEvents } from "./engine-events.ts";
import type { EngineOptions } from "./engine-service.ts";

/** Parts that outlive a life. */
export interface LastingParts {
  readonly faults: FaultInjector;
  readonly events: EngineEvents;
  readonly metrics: MetricsRegistry;
  readonly counters: ShardCounters;
  readonly subscriptions: Subscriptions;
}

/** Makes them for an engine that is opened. */
export function lastingParts(platform: Platform, options: EngineOptions): LastingParts {
  const { clock, random } = platform;
  return {
    faults: new FaultInjector(random),
    events: new EngineEvents(clock),
    metrics: new MetricsRegistry(clock),
    counters: new ShardCounters(),
    subscriptions: new Subscriptions(clock, random, {
      readQuotas: options.quotas === "aws",
      controlQuotas: options.controlQuotas ?? false,
    }),
  };
}
