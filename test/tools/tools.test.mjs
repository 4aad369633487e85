/** The test tools themselves: finding Chromium, counting tests, measuring the site's first route. */
import { assert } from "chai";
import { findChromium } from "./chromium.mjs";
import { countSessions } from "./counting-reporter.mjs";
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

describe("counting", () => {
  it("adds up the tests of nested suites in the browser", () => {
    const test = (passed, skipped = false) => ({ passed, skipped });
    const inner = { tests: [test(true), test(false)], suites: [] };
    const outer = { tests: [test(true), test(false, true)], suites: [inner] };
    const sessions = [
      { passed: false, errors: [], testResults: outer },
      { passed: true, errors: [], testResults: inner.tests && { tests: [test(true)], suites: [] } },
    ];
    assert.deepEqual(countSessions(sessions), { passed: 3, failed: 1, skipped: 1 });
  });

  it("counts a browser test file that did not load as one failure", () => {
    const sessions = [{ passed: false, errors: [{ message: "404" }], testResults: undefined }];
    assert.deepEqual(countSessions(sessions), { passed: 0, failed: 1, skipped: 0 });
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
