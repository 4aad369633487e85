/**
 * Which tests failed, with the beginning of what each said: from the reports of the runners and from what
 * scripts print. A record of a run that keeps only its end still names them.
 */
import { isAbsolute, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

const MESSAGE_LINES_MAX = 3;
const LINE_CHARACTERS_MAX = 200;
/** All lines of a summary together. */
const SUMMARY_LINES_MAX = 100;

/** The first lines of a message that are not blank, without colours. */
function firstLines(message) {
  return stripVTControlCharacters(message)
    .split("\n")
    .map((line) => line.trim().slice(0, LINE_CHARACTERS_MAX))
    .filter((line) => line !== "")
    .slice(0, MESSAGE_LINES_MAX);
}

/** A failed test: its full name, and the first lines of what it said. */
export function failure(name, message = "") {
  return { name: stripVTControlCharacters(name).trim(), lines: firstLines(message) };
}

/** What a script prints of a failed test, for `failuresInOutput` to find: every line of the message indented. */
export function failureText(name, message) {
  return `FAILED ${name}\n${message.replace(/^/gm, "  ")}\n`;
}

/** The failures that a script printed with `failureText`, or on lines that begin with FAILED. */
export function failuresInOutput(output) {
  const found = [];
  let message;
  for (const line of stripVTControlCharacters(output).split("\n")) {
    const name = /^FAILED\s+(.+)$/.exec(line)?.[1];
    if (name !== undefined) {
      message = [];
      found.push({ name, message });
    } else if (/^\s/.test(line)) message?.push(line);
    else message = undefined;
  }
  return found.map(({ name, message }) => failure(name, message.join("\n")));
}

/** The failures of Vitest's JSON report, files that could not be loaded among them. */
export function failuresInVitest(report, root) {
  return (report?.testResults ?? []).flatMap(({ name, status, message, assertionResults }) => {
    const file = isAbsolute(name) ? relative(root, name) : name;
    if (status === "failed" && assertionResults.length === 0) return [failure(file, message)];
    return assertionResults
      .filter((test) => test.status === "failed")
      .map((test) => {
        const titles = [file, ...(test.ancestorTitles ?? []), test.title];
        return failure(titles.join(" > "), test.failureMessages?.join("\n"));
      });
  });
}

function* failedTests(suite, titles) {
  const inside = [...titles, suite.name].filter(Boolean);
  for (const { name, passed, skipped, error } of suite.tests) {
    if (!passed && !skipped) yield failure([...inside, name].join(" > "), error?.message);
  }
  for (const inner of suite.suites) yield* failedTests(inner, inside);
}

/** The failures of the sessions of a run in a browser, files that failed outside their tests among them. */
export function failuresInSessions(sessions, root) {
  return sessions.flatMap((session) => {
    const { testFile, group, testResults, passed, errors } = session;
    const file = isAbsolute(testFile) ? relative(root, testFile) : testFile;
    const title = `${group.name}: ${file}`;
    const failed = testResults === undefined ? [] : [...failedTests(testResults, [title])];
    if (failed.length > 0 || (passed && errors.length === 0)) return failed;
    return [failure(title, errors.map(({ message }) => message).join("\n"))];
  });
}

/** The failures of a suite, and one more for those without a name. */
export function withUnnamed(failures, failed, code) {
  const unnamed = failed - failures.length;
  if (unnamed <= 0) return failures;
  return [...failures, failure(`${unnamed} without a name; the suite ended with ${code}`)];
}

/**
 * The lines that name what failed, suite by suite; none when nothing did. Where there are more than fit, the
 * messages are left out first and then the last names, and a line says so.
 */
export function failureSummary(suites, linesMax = SUMMARY_LINES_MAX) {
  const failed = suites.filter(({ failures }) => failures.length > 0);
  const lines = (withMessages) =>
    failed.flatMap(({ name, failures }) => [
      `failed tests of ${name}:`,
      ...failures.flatMap((test) => [
        `  ${test.name}`,
        ...(withMessages ? test.lines.map((line) => `    ${line}`) : []),
      ]),
    ]);
  const full = lines(true);
  if (full.length <= linesMax) return full;
  const names = lines(false);
  if (names.length < linesMax) return [...names, "  (their messages are above)"];
  const kept = names.slice(0, linesMax - 1);
  return [...kept, `  (${names.length - kept.length} more lines are above)`];
}
