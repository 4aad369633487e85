/**
 * Who is to own which lease. Pure: workers get equal numbers of leases, within one, with as few changes as
 * that takes. What nobody owns is given out at once; what somebody owns is asked back only where another
 * worker has two less, or where its owner has more than it wants.
 */

/** A lease that can be owned: its shard is not finished and waits for no other. */
export interface AssignableLease {
  readonly shardIndex: number;
  /** Id of its owner; null when nobody owns it. */
  readonly workerId: string | null;
  /** Whether its owner was asked to hand it over. */
  readonly handingOver: boolean;
}

/** A worker that lives. */
export interface AssignableWorker {
  readonly workerId: string;
  /** Leases that it wants at most. */
  readonly leasesMax: number;
}

/** What is to be done. */
export interface Assignment {
  /** Leases that nobody owns, and who gets them. */
  readonly taken: readonly { readonly shardIndex: number; readonly workerId: string }[];
  /** Shard indexes of leases that their owners are to hand over. */
  readonly handedOver: readonly number[];
}

interface Share {
  readonly worker: AssignableWorker;
  /** Leases that it owns, those first that it keeps longest. */
  readonly owned: readonly AssignableLease[];
  /** How many it is to own. */
  target: number;
}

/** Assigns leases; those whose owner is none of the workers stay as they are. */
export function assign(
  leases: readonly AssignableLease[],
  workers: readonly AssignableWorker[],
): Assignment {
  const known = new Set(workers.map(({ workerId }) => workerId));
  const free = leases.filter(({ workerId }) => workerId === null);
  const owned = leases.filter(({ workerId }) => workerId !== null && known.has(workerId));
  const shares = workers.map((worker) => ({ worker, owned: ownedBy(worker, owned), target: 0 }));
  setTargets(shares, free.length + owned.length);
  const taken: { shardIndex: number; workerId: string }[] = [];
  const waiting = free.map(({ shardIndex }) => shardIndex).sort((one, other) => one - other);
  let wanted = 0;
  for (const { worker, owned: mine, target } of shares) {
    const more = Math.max(0, target - mine.length);
    const given = waiting.splice(0, more);
    taken.push(...given.map((shardIndex) => ({ shardIndex, workerId: worker.workerId })));
    wanted += more - given.length;
  }
  return { taken, handedOver: shares.flatMap((share) => surplusOf(share, () => wanted-- > 0)) };
}

function ownedBy(worker: AssignableWorker, leases: readonly AssignableLease[]): AssignableLease[] {
  // What is being handed over goes first, so that a plan once made is kept.
  return leases
    .filter(({ workerId }) => workerId === worker.workerId)
    .sort(
      (one, other) =>
        Number(one.handingOver) - Number(other.handingOver) || one.shardIndex - other.shardIndex,
    );
}

/** Gives out so many leases one by one, each to whoever has fewest, and of those to whoever owns most already. */
function setTargets(shares: readonly Share[], count: number): void {
  const byOwned = [...shares].sort(
    (one, other) =>
      other.owned.length - one.owned.length ||
      (one.worker.workerId < other.worker.workerId ? -1 : 1),
  );
  for (let left = count; left > 0; left -= 1) {
    let least: Share | undefined;
    for (const share of byOwned) {
      if (share.target >= share.worker.leasesMax) continue;
      if (least === undefined || share.target < least.target) least = share;
    }
    if (least === undefined) return;
    least.target += 1;
  }
}

/** Leases that a worker is to give up: as many as others want, and all above what it wants itself. */
function surplusOf(share: Share, isWanted: () => boolean): number[] {
  const { owned, target, worker } = share;
  const surplus = owned.slice(target).toReversed();
  const unwanted = Math.max(0, owned.length - worker.leasesMax);
  return surplus
    .filter((_lease, i) => {
      const wanted = isWanted();
      return wanted || i < unwanted;
    })
    .map(({ shardIndex }) => shardIndex);
}
