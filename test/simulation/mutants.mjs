/**
 * Mutants of the engine, each with one promise broken: the simulation must catch every one of them, or its
 * checkers are worth nothing. A change replaces an exact piece of a file; when the piece is gone from the
 * sources, the mutant must be written anew.
 */

const WRITE_FRAME =
  'await writeFrame(this.#context, frameNumber, frame, relaxed ? "relaxed" : "strict");';

const DISCOVERY = "src/groups/lease-discovery.ts";
const DECISION = "src/groups/epoch-decision.ts";

/** Names, and what is changed in which files. Those that are `grouped` break a promise of consumer groups. */
export const MUTANTS = [
  {
    name: "put-instead-of-add",
    changes: [
      {
        file: "src/storage/memory-disk.ts",
        from: "if (this.#frames.has(frameNumber)) {",
        to: "if (frameNumber < 0) {",
      },
    ],
  },
  {
    name: "no-duplicate-removal",
    changes: [
      {
        file: "src/log/producer-table.ts",
        from: "return this.#rows.get(producerId)?.results.get(batchNumber);",
        to: "return batchNumber < 0 ? this.#rows.get(producerId)?.results.get(batchNumber) : undefined;",
      },
      {
        file: "src/log/producer-table.ts",
        from: "const row = this.#rows.get(batch.producerId);",
        to: 'if (batchNumber > 0) return { kind: "new", later: [] };\n    const row = this.#rows.get(batch.producerId);',
      },
    ],
  },
  {
    name: "ack-before-commit",
    changes: [
      {
        file: "src/log/group-commit.ts",
        from: WRITE_FRAME,
        to: `for (const put of group.puts) put.resolve(put.result);\n      ${WRITE_FRAME}`,
      },
    ],
  },
  {
    name: "no-rewind",
    changes: [{ file: "src/log/group-commit.ts", from: "this.#context.core.rewind();", to: "" }],
  },
  {
    name: "fence-frames-trimmed",
    changes: [
      {
        file: "src/log/wal-ledger.ts",
        from: ".filter(({ fence, frameNumber }) => !fence && frameNumber <= throughFrame)",
        to: ".filter(({ frameNumber }) => frameNumber <= throughFrame)",
      },
    ],
  },
  {
    name: "seal-before-commit",
    changes: [
      {
        file: "src/log/group-commit.ts",
        from: WRITE_FRAME,
        to: `core.commit(frameNumber);\n      ${WRITE_FRAME}`,
      },
      {
        file: "src/log/group-commit.ts",
        from: "      core.commit(frameNumber);\n      wal.add(",
        to: "      wal.add(",
      },
    ],
  },
  {
    name: "trim-before-verify",
    changes: [
      {
        file: "src/log/sealer.ts",
        from: "if (store.recoverable) for (const manifest of manifests) await this.#verify(manifest);",
        to: "if (!store.recoverable) for (const manifest of manifests) await this.#verify(manifest);",
      },
    ],
  },
  {
    name: "last-key-not-read-again",
    changes: [
      {
        file: "src/log/takeover.ts",
        from: "return newest === frameNumber && stored !== undefined && sameBytes(stored, frame.bytes);",
        to: "return newest > 0 && (stored === undefined || sameBytes(stored, stored));",
      },
      {
        file: "src/log/takeover.ts",
        from: "if (scan.newestFrame !== place.frameNumber) {",
        to: "if (scan.newestFrame < 0) {",
      },
    ],
  },
  {
    name: "shared-producer-id",
    changes: [
      {
        file: "simulation/producer.ts",
        from: "return random.nextUint32();",
        to: "return random.nextUint32() < 0 ? 0 : 7;",
      },
    ],
  },
  {
    name: "no-counter-fence",
    grouped: true,
    changes: [
      {
        file: DECISION,
        from: "if (lease?.owner?.workerId !== workerId || lease.leaseCounter !== leaseCounter) {",
        to: "if (lease === undefined) {",
      },
    ],
  },
  {
    name: "checkpoint-without-outputs",
    grouped: true,
    changes: [
      {
        file: "src/service/epoch-service.ts",
        from: "const answer = await new Promise<EpochAnswer>((resolve, reject) => {",
        to: `const answer = await this.#change(group, commit);
    if (!answer.repeated) await new Promise<EpochAnswer>((resolve, reject) => {`,
      },
      {
        file: "src/service/epoch-service.ts",
        from: "const records = decideEpoch(this.#parts.context, group.leases, commit);",
        to: "const records = commit.checkpoints.length < 0 ? undefined : [];",
      },
    ],
  },
  {
    name: "repeated-epoch-not-recognised",
    grouped: true,
    changes: [
      {
        file: DECISION,
        from: "if (checkpoints.every((one) => isRepeat(sources, group, one, state))) return undefined;",
        to: "",
      },
      {
        file: DECISION,
        from: "if (epoch === lease.epoch + 1) return lease;",
        to: "if (epoch > 0) return lease;",
      },
    ],
  },
  {
    name: "children-before-parents",
    grouped: true,
    changes: [
      {
        file: DISCOVERY,
        from: "return lease !== undefined && (isEnded(lease) || !known.has(index));",
        to: "return lease !== undefined;",
      },
      {
        file: DISCOVERY,
        from: "if (lease !== undefined) return !isEnded(lease);",
        to: "if (lease !== undefined) return false;",
      },
    ],
  },
  {
    name: "lease-counter-kept",
    grouped: true,
    changes: [
      {
        file: "src/groups/group-leases.ts",
        from: "leaseCounter: lease.leaseCounter + 1,",
        to: "leaseCounter: lease.leaseCounter,",
      },
    ],
  },
  {
    name: "checkpoint-before-delivery",
    grouped: true,
    changes: [
      {
        file: "src/groups/shard-consumer.ts",
        from: "if (delivery.records.length > 0) await this.#processRecords(delivery);",
        to: `if (settings.checkpoints === "batch") automatic.note(lease, delivery.end);
    if (delivery.records.length > 0) await this.#processRecords(delivery);`,
      },
    ],
  },
  {
    name: "leases-never-handed-over",
    grouped: true,
    changes: [
      {
        file: "src/groups/assignment.ts",
        from: "handedOver: shares.flatMap((share) => surplusOf(share, () => wanted-- > 0))",
        to: "handedOver: shares.flatMap((share) => surplusOf(share, () => wanted-- < 0))",
      },
    ],
  },
];
