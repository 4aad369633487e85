/**
 * The model test: random commands run on a core and on the model. When one fails, fast-check prints
 * its seed and the shortest commands that fail.
 */
import fc from "fast-check";
import { type CoreBuild, newCore } from "./build.ts";
import { LogModel, ModelShard } from "./model.ts";
import {
  appendCommand,
  commitCommand,
  cutCommand,
  indexAtTimeCommand,
  type LogCommand,
  loadCommand,
  locateCommand,
  raiseCommand,
  rewindCommand,
  rollCommand,
  sealCommand,
  settleCommand,
  trimCommand,
} from "./model-commands.ts";
import {
  addShards,
  HASH_KEY_MAX,
  hashKeyOf,
  removeShards,
  type TestRecord,
  testBytes,
} from "./support.ts";

const slot = fc.nat({ max: 3 });
const permille = fc.nat({ max: 1_000 });
const which = fc.nat({ max: 30 });

const testRecord: fc.Arbitrary<TestRecord> = fc
  .tuple(
    fc.oneof(fc.constantFrom("a", "user-7", "é€😀", "x".repeat(56)), fc.string({ minLength: 1 })),
    fc.oneof(
      { weight: 8, arbitrary: fc.nat({ max: 300 }) },
      { weight: 3, arbitrary: fc.nat({ max: 30_000 }) },
      { weight: 1, arbitrary: fc.nat({ max: 400_000 }) },
    ),
    fc.option(fc.bigInt({ min: 0n, max: HASH_KEY_MAX }), { nil: undefined }),
  )
  .map(([key, length, explicitHashKey]) => {
    const record = { key: key.toWellFormed(), data: testBytes(length, length) };
    return explicitHashKey === undefined ? record : { ...record, explicitHashKey };
  });

const elapsedMs = fc.oneof(
  { weight: 6, arbitrary: fc.nat({ max: 2_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -5_000, max: 0 }) },
  { weight: 1, arbitrary: fc.constant(120_000) },
);
const records = fc.array(testRecord, { maxLength: 25 });

const commands: fc.Arbitrary<LogCommand>[] = [
  fc.tuple(records, fc.boolean(), elapsedMs).map((args) => appendCommand(...args)),
  fc.tuple(records, fc.boolean(), elapsedMs).map((args) => appendCommand(...args)),
  fc.constant(0).map(cutCommand),
  fc.constant(0).map(commitCommand),
  fc.constant(0).map(rewindCommand),
  fc.nat({ max: 4 }).map(rollCommand),
  fc.tuple(slot, fc.integer({ min: -5, max: 100 })).map((args) => raiseCommand(...args)),
  which.map(sealCommand),
  fc.tuple(which, fc.boolean()).map((args) => settleCommand(...args)),
  which.map(loadCommand),
  fc.tuple(slot, permille).map((args) => trimCommand(...args)),
  fc
    .tuple(slot, permille, fc.nat({ max: 20 }), fc.nat({ max: 60_000 }))
    .map((args) => locateCommand(...args)),
  fc
    .tuple(slot, permille, fc.integer({ min: -10, max: 10 }))
    .map((args) => indexAtTimeCommand(...args)),
];

/** How one round of the model test is set up. */
interface Setting {
  readonly name: string;
  readonly shards: number;
  readonly arenaBytesMax: number;
  readonly tight: boolean;
  readonly writeQuotas: boolean;
}

const MIB = 1_048_576;
const SETTINGS: readonly Setting[] = [
  { name: "with room", shards: 3, arenaBytesMax: 256 * MIB, tight: false, writeQuotas: true },
  { name: "short of memory", shards: 4, arenaBytesMax: 2 * MIB, tight: true, writeQuotas: false },
];

/** The suite. */
export function modelSuite(build: CoreBuild): void {
  describe(`the ${build.name} core and a plain model of it`, () => {
    for (const { name, shards, arenaBytesMax, tight, writeQuotas } of SETTINGS) {
      it(`do the same whatever is done to them, ${name}`, async () => {
        const keyHash = await hashKeyOf();
        const sequences = fc.commands(commands, { maxCommands: 120, size: "max" });
        // One core for all runs: each begins with the memory that the one before it left.
        const core = await newCore(build, { arenaBytesMax });
        const property = fc.property(sequences, (sequence) => {
          removeShards(core);
          addShards(core, shards, { writeQuotas });
          const modelShards = Array.from({ length: shards }, () => new ModelShard(writeQuotas));
          const real = { core, sealing: [], images: [], hashKeyOf: keyHash };
          fc.modelRun(() => ({ model: new LogModel(modelShards, tight), real }), sequence);
        });
        fc.assert(property, { numRuns: 60 });
      });
    }
  });
}
