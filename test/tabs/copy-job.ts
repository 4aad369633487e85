/** The job of the runs with jobs: copies each record in one step with its checkpoint. */
import type { JobContext, ShardProcessor } from "millrace";

/** See above. */
export function copy({ settings }: JobContext) {
  const streamName = String(settings);
  return (): ShardProcessor => ({
    processRecords: async ({ records, checkpointer }) => {
      const outputs = records.map(({ partitionKey, data }) => ({ streamName, partitionKey, data }));
      await checkpointer.checkpoint({ outputs });
    },
  });
}
