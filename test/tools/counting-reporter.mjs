/**
 * A reporter for @web/test-runner that writes to a file how many tests passed, failed and were skipped, and
 * which ones failed.
 */
import { writeFileSync } from "node:fs";
import { failuresInSessions } from "./failures.mjs";

/** How a title names the feature for want of which a test or a suite is left out. */
const NEEDS = /\[needs ([^\]]+)\]/;

/** Tests of a suite and those inside it, each with the feature that it or a suite around it names. */
function testsOf(suite, feature) {
  if (suite === undefined) return [];
  const named = (name) => NEEDS.exec(name ?? "")?.[1] ?? feature;
  return [
    ...suite.tests.map((test) => ({ ...test, feature: named(test.name) })),
    ...suite.suites.flatMap((inner) => testsOf(inner, named(inner.name))),
  ];
}

/**
 * Adds up the sessions of a run. A file that fails outside its tests counts as one failed test. `leftOut` are
 * the numbers of skipped tests by the name of the missing feature, "" for none.
 */
export function countSessions(sessions) {
  const counts = { passed: 0, failed: 0, skipped: 0, leftOut: {} };
  for (const session of sessions) {
    const tests = testsOf(session.testResults);
    const skipped = tests.filter((test) => test.skipped);
    const failed = tests.filter((test) => !test.skipped && !test.passed).length;
    counts.skipped += skipped.length;
    for (const { feature = "" } of skipped) {
      counts.leftOut[feature] = (counts.leftOut[feature] ?? 0) + 1;
    }
    counts.passed += tests.filter((test) => !test.skipped && test.passed).length;
    counts.failed += failed;
    if (failed === 0 && (!session.passed || session.errors.length > 0)) counts.failed += 1;
  }
  return counts;
}

/** The reporter; `path` is overwritten once the run is over. */
export function countingReporter(path) {
  return {
    onTestRunFinished({ sessions }) {
      const failures = failuresInSessions(sessions, process.cwd());
      writeFileSync(path, JSON.stringify({ ...countSessions(sessions), failures }));
    },
  };
}
