/** The tables that say what each browser engine has, and how its tests went, in Markdown. */

function table(headings, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [headings, headings.map(() => "---"), ...rows].map(line).join("\n");
}

/** Tests that were left out, by the feature they need, as in `OPFS (2), SIMD (1)`. */
function leftOutText(leftOut) {
  const named = Object.entries(leftOut).map(
    ([feature, count]) => `${feature === "" ? "WITHOUT A REASON" : feature} (${count})`,
  );
  return named.length === 0 ? "-" : named.join(", ");
}

/**
 * Passed, failed and left out tests by engine. A result is `{name, version, counts}`, or `{name, absent}` with
 * why the engine is not on this machine.
 */
export function resultTable(results) {
  return table(
    ["engine", "passed", "failed", "left out, by the missing feature"],
    results.map(({ name, version, counts, absent }) => {
      if (absent !== undefined) return [name, "-", "-", `not run: ${absent}`];
      return [`${name} ${version}`, counts.passed, counts.failed, leftOutText(counts.leftOut)];
    }),
  );
}

function cell(finding) {
  if (finding === undefined) return "?";
  return finding.missing === null ? "yes" : `no: ${finding.missing.replaceAll("|", "/")}`;
}

/** Features by engine; `features` of a result are what its probes found. */
export function featureTable(results) {
  const probed = results.filter(({ features }) => features !== undefined);
  const uses = new Map();
  for (const { name, use } of probed.flatMap(({ features }) => features)) uses.set(name, use);
  return table(
    ["feature", "what for", ...probed.map(({ name }) => name)],
    [...uses].map(([feature, use]) => [
      feature,
      use,
      ...probed.map(({ features }) => cell(features.find(({ name }) => name === feature))),
    ]),
  );
}
