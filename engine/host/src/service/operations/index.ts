/** All operations that `invoke` runs, by name. */
import { capacityOperations } from "./capacity.ts";
import { channelOperations } from "./channels.ts";
import { consumerOperations } from "./consumers.ts";
import { encryptionOperations } from "./encryption.ts";
import { iteratorOperations } from "./iterators.ts";
import { monitoringOperations } from "./monitoring.ts";
import type { OperationTable } from "./operation.ts";
import { policyOperations } from "./policies.ts";
import { retentionOperations } from "./retention.ts";
import { shardOperations } from "./shards.ts";
import { streamOperations } from "./streams.ts";
import { tagOperations } from "./tags.ts";

/** Operations by name. */
export const operationTable: OperationTable = {
  ...capacityOperations,
  ...channelOperations,
  ...consumerOperations,
  ...encryptionOperations,
  ...iteratorOperations,
  ...monitoringOperations,
  ...policyOperations,
  ...retentionOperations,
  ...shardOperations,
  ...streamOperations,
  ...tagOperations,
};
