/** Processors as a job makes them, with the records counted that they have processed. */
import type { ShardProcessor } from "../groups/group-types.ts";
import type { ProcessorFactory } from "../groups/group-worker.ts";

/** Makes processors that do as those of `factory` do, and tells how many records of each delivery are done. */
export function countingFactory(
  factory: ProcessorFactory,
  onProcessed: (records: number) => void,
): ProcessorFactory {
  return (lease) => {
    const processor: ShardProcessor = factory(lease);
    return {
      initialize: (input) => processor.initialize?.(input),
      processRecords: async (input) => {
        await processor.processRecords(input);
        onProcessed(input.records.length);
      },
      leaseLost: () => processor.leaseLost?.(),
      shardEnded: (input) => processor.shardEnded?.(input),
      shutdownRequested: (input) => processor.shutdownRequested?.(input),
    };
  };
}
