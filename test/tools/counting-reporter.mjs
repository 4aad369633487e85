/** A reporter for @web/test-runner that writes how many tests passed, failed and were skipped to a file. */
import { writeFileSync } from "node:fs";

function testsOf(suite) {
  if (suite === undefined) return [];
  return [...suite.tests, ...suite.suites.flatMap(testsOf)];
}

/** Adds up the sessions of a run. A file that fails outside its tests counts as one failed test. */
export function countSessions(sessions) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const session of sessions) {
    const tests = testsOf(session.testResults);
    const failed = tests.filter((test) => !test.skipped && !test.passed).length;
    counts.skipped += tests.filter((test) => test.skipped).length;
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
      writeFileSync(path, JSON.stringify(countSessions(sessions)));
    },
  };
}
