/**
 * A far side that another copy of this package has opened, as a job's module brings it: it is bundled apart from the
 * jobs worker, so that its errors are none of this copy's classes until they are made into them.
 */
import { adoptError, toMillraceError } from "@millrace/engine";
import type { PutTarget } from "../producer/put-target.ts";
import type { ReplicationRemote } from "./replication-options.ts";

/** The same far side, which fails with errors of this copy. Nothing can be sent at a page's end. */
export function adoptedRemote(remote: ReplicationRemote): ReplicationRemote {
  const { name } = remote;
  const target = adoptedTarget(remote.target());
  return { name, target: () => target };
}

function adoptedTarget(target: PutTarget): PutTarget {
  const { name, identity, orderedBytesMax, repeatsUncertain } = target;
  return {
    ...{ name, orderedBytesMax },
    ...(identity === undefined ? {} : { identity }),
    ...(repeatsUncertain === undefined ? {} : { repeatsUncertain }),
    putRecords: (records) => adopting(target.putRecords(records)),
    listShards: () => adopting(target.listShards()),
    onClose: (listener) =>
      target.onClose?.((reason) => listener(toMillraceError(adoptError(reason)))) ??
      (() => undefined),
  };
}

async function adopting<Value>(call: Promise<Value>): Promise<Value> {
  try {
    return await call;
  } catch (error) {
    throw adoptError(error);
  }
}
