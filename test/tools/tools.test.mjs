/** The test tools themselves: finding Chromium, counting tests, measuring the site's first route. */
import { assert } from "chai";
import { findChromium } from "./chromium.mjs";
import { countSessions } from "./counting-reporter.mjs";
import { featureTable, resultTable } from "./engine-table.mjs";
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
