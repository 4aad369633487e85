/** Counts of passed and failed tests, from the reports of the runners and from closing lines. */

/** The one line that ends a run. */
export function closingLine({ passed, failed }) {
  return `${passed} passed, ${failed} failed`;
}

/** Counts of Vitest's JSON report. A file that could not be loaded counts as one failed test. */
export function countVitestReport(report) {
  if (report === undefined) return undefined;
  const unloaded = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  ).length;
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloaded };
}

/** Counts of the last line of a script's output; undefined when that is not a closing line. */
export function countScriptOutput(output) {
  const last = output.trimEnd().split("\n").at(-1) ?? "";
  const match = /^(\d+) passed, (\d+) failed$/.exec(last.trim());
  if (match === null) return undefined;
  return { passed: Number(match[1]), failed: Number(match[2]) };
}
