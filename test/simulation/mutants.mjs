/**
 * Mutants of the engine, each with one promise broken: the simulation must catch every one of them, or its
 * checkers are worth nothing. A change replaces an exact piece of a file; when the piece is gone from the
 * sources, the mutant must be written anew.
 */

const WRITE_FRAME =
  'await writeFrame(this.#context, frameNumber, frame, relaxed ? "relaxed" : "strict");';

/** Names, and what is changed in which files. */
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
];
