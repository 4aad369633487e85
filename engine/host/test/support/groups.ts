/** Workers of consumer groups as tests need them: they join, ask for their leases and commit. */
import type {
  EngineService,
  EpochAnswer,
  EpochCheckpoint,
  EpochCommit,
  EpochState,
  GroupPosition,
  LeaseCheckpoint,
  OwnedLease,
  StreamDescription,
} from "../../src/service/engine-service.ts";
import { buildBatch, type TestRecord } from "./batches.ts";

/** One joined worker. */
export class TestWorker {
  readonly service: EngineService;
  readonly groupName: string;
  readonly workerId: string;
  sessionId: string;
  leases: readonly OwnedLease[] = [];
  version = 0;

  private constructor(service: EngineService, groupName: string, workerId: string, id: string) {
    this.service = service;
    this.groupName = groupName;
    this.workerId = workerId;
    this.sessionId = id;
  }

  static async join(
    service: EngineService,
    groupName: string,
    workerId: string,
    settings: { memberId?: string | null; leasesMax?: number } = {},
  ): Promise<TestWorker> {
    const argument = { groupName, workerId, memberId: null, ...settings };
    const { sessionId } = await service.call("groupJoin", argument);
    return new TestWorker(service, groupName, workerId, sessionId);
  }

  /** Asks for its leases. */
  async poll(waitMs = 0, seenVersion = this.version): Promise<readonly OwnedLease[]> {
    const { groupName, sessionId } = this;
    const argument = { groupName, sessionId, seenVersion, waitMs };
    const answer = await this.service.call("groupPoll", argument);
    this.version = answer.version;
    this.leases = answer.leases;
    return answer.leases;
  }

  /** The lease of a shard that it was told of last. */
  lease(shardIndex: number): OwnedLease {
    const lease = this.leases.find((one) => one.shardIndex === shardIndex);
    if (lease === undefined)
      throw new Error(`${this.workerId} has no lease of shard ${shardIndex}`);
    return lease;
  }

  /** The commit that brings one lease to a checkpoint, with some epoch after the one that it was told of. */
  commitOf(
    shardIndex: number,
    checkpoint: LeaseCheckpoint,
    {
      epochsOn = 1,
      state = {},
      ...more
    }: Partial<EpochCheckpoint> & {
      epochsOn?: number;
      state?: Record<string, EpochState["value"]>;
    } = {},
  ): EpochCommit {
    const { leaseCounter, epoch } = this.lease(shardIndex);
    const progress = { shardIndex, leaseCounter, epoch: epoch + epochsOn, checkpoint, ...more };
    const { groupName, workerId } = this;
    const entries = Object.entries(state).map(([key, value]) => ({ shardIndex, key, value }));
    return { groupName, workerId, checkpoints: [progress], state: entries };
  }

  commit(commit: EpochCommit, outputs: readonly ArrayBuffer[] = []): Promise<EpochAnswer> {
    return this.service.commitEpoch(commit, outputs);
  }

  release(shardIndex: number, leaving = false): Promise<null> {
    const { leaseCounter } = this.lease(shardIndex);
    const { groupName, sessionId } = this;
    const lease = { shardIndex, leaseCounter };
    return this.service.call("groupRelease", { groupName, sessionId, ...lease, leaving });
  }

  leave(): Promise<null> {
    const { groupName, sessionId, workerId } = this;
    return this.service.call("groupLeave", { groupName, sessionId, workerId });
  }
}

/** The checkpoint at a record. */
export function at(index: number, subSequenceNumber = 0): LeaseCheckpoint {
  return { index, subSequenceNumber };
}

/** Creates a group over a stream. */
export async function createGroup(
  service: EngineService,
  stream: StreamDescription,
  startingPosition: GroupPosition = { type: "TRIM_HORIZON" },
  name = "group",
): Promise<void> {
  await service.call("groupsCreate", { name, streamName: stream.name, startingPosition });
}

/** An output of an epoch: nobody looks at its sender and number. */
export function outputOf(stream: StreamDescription, records: readonly TestRecord[]): ArrayBuffer {
  return buildBatch({ streamUid: stream.uid, batchNumber: 1, records });
}
