/**
 * Judges what an engine made of a damage: what was acknowledged is served, or is told to be lost, or could
 * not be opened; what the damage left whole is served; and records that are put afterwards are new.
 */

/** Why a store comes back empty: Chromium replaces what it finds corrupt, whatever of it was whole. */
const REPLACED = /began it anew, empty/;

/** Whether the browser threw everything away. */
export function wasReplaced({ losses }) {
  return losses.some(({ reason }) => REPLACED.test(reason));
}

const nameOf = ({ store, key }) => `${store} ${key}`;

function checksums(inventory) {
  return new Map(inventory.values.map((value) => [nameOf(value), value.checksum]));
}

/** Values of an inventory that are as they were in the whole one. */
function intactValues(inventory, whole) {
  const before = checksums(whole);
  return inventory.values.filter(
    (value) => value.checksum !== undefined && before.get(nameOf(value)) === value.checksum,
  );
}

function numbersOf(values) {
  return new Set(values.flatMap(({ numbers }) => numbers));
}

/** Whether `where` of a loss names a value. */
function names({ where }, { store, key }) {
  if (store === "segments") {
    const [, uid, ordinal] = where.match(/^shard uid (\d+), segment (\d+)/) ?? [];
    return Number(uid) === key[0] && Number(ordinal) === key[1];
  }
  const [first, last] = where.match(/\d+/g)?.map(Number) ?? [];
  return where.startsWith("WAL frame") && key >= first && key <= (last ?? first);
}

/**
 * Records that lie in intact values, or whole in a damaged segment: they must be served. What the browser
 * itself threw away when it met the damage nobody can serve; the engine names it.
 */
function owed({ report, left, after }, whole) {
  const before = checksums(whole);
  const there = checksums(after);
  const replaced = wasReplaced(report);
  const dropped = (value) =>
    !there.has(nameOf(value)) && (replaced || report.losses.some((loss) => names(loss, value)));
  const found = left.values.filter((value) => !dropped(value));
  const damaged = found.filter(
    (value) =>
      value.store === "segments" &&
      value.checksum !== undefined &&
      before.has(nameOf(value)) &&
      before.get(nameOf(value)) !== value.checksum,
  );
  return {
    intact: numbersOf(intactValues({ values: found }, whole)),
    salvaged: numbersOf(damaged),
  };
}

/**
 * What `check()` said, held against what lies in the database afterwards. Returns what is wrong. A value that
 * the engine itself wrote under the key of a lost one is not damaged.
 */
function checkProblems({ report: { checked }, left, after }, whole) {
  const [before, found] = [checksums(whole), checksums(left)];
  const damaged = after.values.filter((value) => {
    const name = nameOf(value);
    const asFound = found.has(name) && found.get(name) === value.checksum;
    const asWritten = value.checksum !== undefined && before.get(name) === value.checksum;
    return before.has(name) && asFound && !asWritten;
  });
  const silent = damaged.filter((value) => !checked.some((loss) => names(loss, value)));
  const wrong = checked.filter(
    ({ where, reason }) =>
      !/nothing is lost by it/.test(reason) &&
      intactValues(after, whole).some((value) => names({ where }, value)),
  );
  return [
    ...silent.map((value) => `check() does not name ${nameOf(value)}, which is damaged`),
    ...wrong.map(({ where, reason }) => `check() accuses ${where}, which is whole: ${reason}`),
  ];
}

function orderProblems({ numbers, torn }) {
  const disorder = numbers.some((number, i) => i > 0 && number <= (numbers[i - 1] ?? -1));
  return [
    ...(torn > 0 ? [`${torn} torn records were served`] : []),
    ...(disorder ? ["records are served twice, or out of order"] : []),
  ];
}

/** What is there of the acknowledged records, and what should be. `slack` records may fail with their header. */
function servingProblems(found, whole, slack) {
  const { report } = found;
  const served = new Set(report.numbers);
  const lacking = (numbers) => [...numbers].filter((number) => !served.has(number));
  const { intact, salvaged } = owed(found, whole);
  const intactLacking = lacking(intact);
  const salvagedLacking = lacking(salvaged);
  const few = (numbers) => `${numbers.length} records (${numbers.slice(0, 4)}...)`;
  if (!report.stream) return keptProblems(found, whole);
  return [
    ...(intactLacking.length > 0
      ? [`${few(intactLacking)} lie in intact values and are not served`]
      : []),
    ...(salvagedLacking.length > slack
      ? [`${few(salvagedLacking)} are whole in damaged segments and are not served`]
      : []),
  ];
}

/** Where the log no longer knows the stream, its segments are not served, but they are kept. */
function keptProblems({ report, left, after }, whole) {
  if (wasReplaced(report)) return [];
  const kept = new Set(after.values.map(nameOf));
  const dropped = left.values.filter(
    (value) => value.store === "segments" && !kept.has(nameOf(value)),
  );
  const known = intactValues({ values: dropped }, whole);
  return known.map((value) => `${nameOf(value)} was whole, and was deleted`);
}

/** Records that were put after the damage: all are there, behind the others, under new numbers. */
function afterwardsProblems({ report, later, put }, whole) {
  const expected = [...report.numbers, ...put.numbers];
  const same =
    later.opened &&
    later.numbers.length === expected.length &&
    later.numbers.every((number, i) => number === expected[i]);
  const reused = BigInt(put.lowest) <= BigInt(whole.highest);
  return [
    ...(same ? [] : [`${later.numbers?.length} records are there, not ${expected.length}`]),
    ...(reused ? [`sequence number ${put.lowest} is not above ${whole.highest}`] : []),
  ];
}

/**
 * What an engine that opened came to: `lost` acknowledged records, and how they were noticed. Throws an error
 * that lists all that must not be. `quiet` allows that the end of the log is gone without a word.
 */
export function judge(found, whole, { quiet = false, slack = 0 }) {
  const { report, firstError } = found;
  const lost = whole.written - report.numbers.length;
  const noticed = report.losses.length > 0 || firstError !== undefined;
  const prefix = report.numbers.every((number, i) => number === i);
  const problems = [
    ...orderProblems(report),
    ...(lost > 0 && !noticed && !quiet ? [`${lost} records are gone and nothing is reported`] : []),
    ...(lost > 0 && !noticed && !prefix ? ["what is left is not the beginning"] : []),
    ...servingProblems(found, whole, slack),
    ...checkProblems(found, whole),
    ...afterwardsProblems(found, whole),
  ];
  if (problems.length > 0) throw new Error(problems.join("; "));
  return { lost, noticed, replaced: wasReplaced(report) };
}
