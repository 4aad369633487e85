/** The test tools themselves: finding Chromium, counting tests, measuring the site's first route. */
import { assert } from "chai";
import { Suite } from "../harness/suite.mjs";
import { findChromium } from "./chromium.mjs";
import { countSessions } from "./counting-reporter.mjs";
import { featureTable, resultTable } from "./engine-table.mjs";
import {
  failureSummary,
  failuresInOutput,
  failuresInSessions,
  failuresInVitest,
  failureText,
  withUnnamed,
} from "./failures.mjs";
import { staticFiles } from "./first-route.mjs";
import { closingLine, countScriptOutput, countVitestReport } from "./test-counts.mjs";

describe("finding Chromium", () => {
  it("takes the one that CHROME_PATH names", () => {
    assert.strictEqual(findChromium({ CHROME_PATH: process.execPath }), process.execPath);
  });

  it("does not quietly take another when CHROME_PATH is wrong", () => {
    assert.throws(() => findChromium({ CHROME_PATH: "/no/such/browser" }), /\/no\/such\/browser/);
  });
});

describe("the tables of the engines", () => {
  const results = [
    {
      ...{ name: "A", version: "1.2" },
      counts: { passed: 5, failed: 1, leftOut: { files: 2, "": 1 } },
      features: [
        { name: "files", use: "witness", missing: "a | b" },
        { name: "locks", use: "required", missing: null },
      ],
    },
    { name: "B", absent: "install it", counts: { passed: 0, failed: 1, leftOut: {} } },
  ];

  it("say what was left out, for want of what, and which engine is not there", () => {
    const lines = resultTable(results).split("\n");
    assert.strictEqual(lines[2], "| A 1.2 | 5 | 1 | files (2), WITHOUT A REASON (1) |");
    assert.strictEqual(lines[3], "| B | - | - | not run: install it |");
  });

  it("say which features an engine has, and why not", () => {
    const lines = featureTable(results).split("\n");
    assert.deepEqual(lines.slice(2), [
      "| files | witness | no: a / b |",
      "| locks | required | yes |",
    ]);
  });
});

describe("counting", () => {
  it("adds up the tests of nested suites in the browser", () => {
    const test = (passed, skipped = false) => ({ passed, skipped });
    const inner = { tests: [test(true), test(false)], suites: [] };
    const outer = { tests: [test(true), test(false, true)], suites: [inner] };
    const sessions = [
      { passed: false, errors: [], testResults: outer },
      { passed: true, errors: [], testResults: inner.tests && { tests: [test(true)], suites: [] } },
    ];
    const counts = { passed: 3, failed: 1, skipped: 1, leftOut: { "": 1 } };
    assert.deepEqual(countSessions(sessions), counts);
  });

  it("tells which feature is missing where tests of the browser were left out", () => {
    const skipped = (name) => ({ name, passed: true, skipped: true });
    const inner = { name: "inner [needs b]", tests: [skipped("x"), skipped("y")], suites: [] };
    const outer = { name: "", tests: [skipped("z [needs a]"), skipped("w")], suites: [inner] };
    const { leftOut } = countSessions([{ passed: true, errors: [], testResults: outer }]);
    assert.deepEqual(leftOut, { a: 1, b: 2, "": 1 });
  });

  it("counts a browser test file that did not load as one failure", () => {
    const sessions = [{ passed: false, errors: [{ message: "404" }], testResults: undefined }];
    assert.deepEqual(countSessions(sessions), {
      ...{ passed: 0, failed: 1, skipped: 0 },
      leftOut: {},
    });
  });

  it("counts a unit test file that did not load as one failure", () => {
    const report = {
      numPassedTests: 7,
      numFailedTests: 2,
      testResults: [
        { status: "failed", assertionResults: [] },
        { status: "failed", assertionResults: [{}, {}] },
        { status: "passed", assertionResults: [{}] },
      ],
    };
    assert.deepEqual(countVitestReport(report), { passed: 7, failed: 3 });
    assert.isUndefined(countVitestReport(undefined));
  });

  it("reads back the closing line that it writes, and nothing else", () => {
    const counts = { passed: 12, failed: 3 };
    assert.deepEqual(countScriptOutput(`noise\n${closingLine(counts)}\n\n`), counts);
    assert.isUndefined(countScriptOutput("12 passed, 3 failed\nthen it crashed\n"));
    assert.isUndefined(countScriptOutput(""));
  });
});

/** What is written to standard output while `body` runs. */
async function outputOf(body) {
  const { write } = process.stdout;
  let output = "";
  process.stdout.write = (text) => {
    output += text;
    return true;
  };
  try {
    await body();
  } finally {
    process.stdout.write = write;
  }
  return output;
}

describe("naming what failed", () => {
  it("finds the unit tests in Vitest's report, and the files that did not load", () => {
    const message = "\u001b[31mAssertionError: expected 1\u001b[39m\n\n+ 1\n- 2\n    at somewhere";
    const test = { ancestorTitles: ["outer", "inner"], title: "adds", failureMessages: [message] };
    const testResults = [
      {
        ...{ name: "/root/sdk/test/a.test.ts", status: "failed", message: "" },
        assertionResults: [
          { ...test, status: "failed" },
          { ...test, status: "passed" },
        ],
      },
      {
        ...{ name: "/root/b.test.ts", status: "failed", message: "no such module" },
        assertionResults: [],
      },
    ];
    assert.deepEqual(failuresInVitest({ testResults }, "/root"), [
      {
        name: "sdk/test/a.test.ts > outer > inner > adds",
        lines: ["AssertionError: expected 1", "+ 1", "- 2"],
      },
      { name: "b.test.ts", lines: ["no such module"] },
    ]);
    assert.deepEqual(failuresInVitest(undefined, "/root"), []);
  });

  it("finds the tests in the sessions of browsers, and the files that ended outside them", () => {
    const test = (name, passed, skipped = false) => ({ name, passed, skipped });
    const failed = { ...test("puts", false), error: { message: "one\ntwo\nthree\nfour" } };
    const inner = { name: "tabs", tests: [failed, test("reads", true)], suites: [] };
    const outer = { name: "", tests: [test("left out", false, true)], suites: [inner] };
    const common = { group: { name: "browser" }, errors: [], passed: true };
    const sessions = [
      { ...common, testFile: "/root/a.test.ts", passed: false, testResults: outer },
      { ...common, testFile: "/root/b.test.ts", passed: false, errors: [{ message: "404" }] },
      { ...common, testFile: "/root/c.test.ts", testResults: { ...inner, tests: [] } },
    ];
    assert.deepEqual(failuresInSessions(sessions, "/root"), [
      { name: "browser: a.test.ts > tabs > puts", lines: ["one", "two", "three"] },
      { name: "browser: b.test.ts", lines: ["404"] },
    ]);
  });

  it("finds the tests that a script printed as failed", async () => {
    const suite = new Suite();
    const output = await outputOf(async () => {
      await suite.test("that holds", () => "a remark\nof two lines");
      await suite.test("that does not", () => {
        throw new Error("expected:\n\n+ 1\nactual");
      });
      await suite.test("that holds, too", () => "another remark");
    });
    assert.deepInclude(suite, { passed: 2, failed: 1 });
    const found = failuresInOutput(`${output}FAILED 3 seeds\nmore\n  of it\n`);
    assert.match(found[0].name, /^that does not \(\d+\.\d s\)$/);
    assert.deepEqual(found[0].lines, ["Error: expected:", "+ 1", "actual"]);
    assert.deepEqual(found.slice(1), [{ name: "3 seeds", lines: [] }]);
    const printed = failureText("a", "b\nc\n\nd\ne");
    assert.deepEqual(failuresInOutput(printed), [{ name: "a", lines: ["b", "c", "d"] }]);
  });
});

describe("telling what failed", () => {
  it("says that something failed which has no name", () => {
    const named = [{ name: "t", lines: [] }];
    assert.deepEqual(withUnnamed(named, 1, 1), named);
    const more = { name: "2 without a name; the suite ended with 7", lines: [] };
    assert.deepEqual(withUnnamed(named, 3, 7), [...named, more]);
  });

  it("says it suite by suite, and keeps names rather than messages where there are many", () => {
    const tests = (count) =>
      Array.from({ length: count }, (_, i) => ({ name: `t${i}`, lines: ["x"] }));
    const suites = [
      { name: "good", failures: [] },
      { name: "bad", failures: tests(2) },
    ];
    const full = ["failed tests of bad:", "  t0", "    x", "  t1", "    x"];
    assert.deepEqual(failureSummary(suites), full);
    assert.deepEqual(failureSummary(suites.slice(0, 1)), []);
    assert.deepEqual(failureSummary(suites, 4), [
      ...["failed tests of bad:", "  t0", "  t1"],
      "  (their messages are above)",
    ]);
    const many = failureSummary([{ name: "bad", failures: tests(300) }]);
    assert.lengthOf(many, 100);
    assert.strictEqual(many.at(-1), "  (202 more lines are above)");
  });
});

describe("the first route", () => {
  it("is the entry and what it imports statically, each once", () => {
    const manifest = {
      "index.html": { file: "entry.js", imports: ["_a.js", "_b.js"], dynamicImports: ["chart.ts"] },
      "_a.js": { file: "a.js", imports: ["_b.js"] },
      "_b.js": { file: "b.js", imports: ["_a.js"] },
      "chart.ts": { file: "chart.js" },
    };
    assert.deepEqual([...staticFiles(manifest, "index.html")], ["entry.js", "a.js", "b.js"]);
    assert.throws(() => staticFiles(manifest, "other.html"), /other\.html/);
  });
});
