/** The rules of the house that no linter knows, each as a function from one file to its offences. */
import ts from "typescript";

/** One file of the repository. */
export interface RepositoryFile {
  /** Path from the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** Lines that a file may have. */
export const FILE_LINES_MAX = 500;
/** Lines that a function may have. */
export const FUNCTION_LINES_MAX = 80;

const parsed = new Map<RepositoryFile, ts.SourceFile>();

function parse(file: RepositoryFile): ts.SourceFile {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);
  parsed.set(file, source);
  return source;
}

function at(file: RepositoryFile, node: ts.Node, what: string): string {
  const source = parse(file);
  return `${file.path}:${source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1} ${what}`;
}

/** Offences of all nodes of a file, in order. */
function walk(file: RepositoryFile, offenceOf: (node: ts.Node) => string | undefined): string[] {
  const offences: string[] = [];
  const visit = (node: ts.Node): void => {
    const what = offenceOf(node);
    if (what !== undefined) offences.push(at(file, node, what));
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  return offences;
}

function isExported(statement: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(statement) &&
    ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true
  );
}

function nameOf(statement: ts.Statement): string {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map((one) => one.name.getText()).join(", ");
  }
  const { name } = statement as ts.Statement & { name?: ts.Node };
  return name?.getText() ?? "default";
}

/** Exports that no TSDoc comment stands before. Of overloads, the first one has it. */
export function undocumentedExports(file: RepositoryFile): string[] {
  const documented = new Set<string>();
  const offences: string[] = [];
  for (const statement of parse(file).statements) {
    if (!isExported(statement)) continue;
    const name = nameOf(statement);
    if (ts.getJSDocCommentsAndTags(statement).some(ts.isJSDoc)) documented.add(name);
    else if (!documented.has(name)) offences.push(at(file, statement, `${name} has no TSDoc`));
  }
  return offences;
}

/** Files that do not begin by saying what they are responsible for. */
export function missingFileComment(file: RepositoryFile): string[] {
  return /^(#![^\n]*\n)?\s*(\/\*|\/\/)/.test(file.text)
    ? []
    : [`${file.path} starts without a comment`];
}

const FORBIDDEN_CALLS = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "requestAnimationFrame",
  "requestIdleCallback",
]);
const FORBIDDEN_MEMBERS = new Set([
  "Date.now",
  "Math.random",
  "performance.now",
  "crypto.getRandomValues",
  "crypto.randomUUID",
]);

/** Uses of a clock, of randomness and of timers. */
export function ambientTimeAndChance(file: RepositoryFile): string[] {
  return walk(file, (node) => {
    if (ts.isPropertyAccessExpression(node)) {
      const member = node.getText().replace(/^(globalThis|self|window)\./, "");
      if (FORBIDDEN_MEMBERS.has(member) || FORBIDDEN_CALLS.has(member)) return member;
    }
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
      if (FORBIDDEN_CALLS.has(node.expression.text)) return node.expression.text;
      if (node.expression.text === "Date") return "Date()";
    }
    if (ts.isNewExpression(node) && node.expression.getText() === "Date") {
      if (node.arguments === undefined || node.arguments.length === 0) return "new Date()";
    }
    return undefined;
  });
}

/** Types that give up checking. */
export function uncheckedTypes(file: RepositoryFile): string[] {
  const offences = walk(file, (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) return "uses any";
    if (ts.isAsExpression(node) && ts.isAsExpression(node.expression)) {
      if (node.expression.type.kind === ts.SyntaxKind.UnknownKeyword) return "casts over unknown";
    }
    return undefined;
  });
  const suppressed = /@ts-(ignore|nocheck)/.exec(file.text);
  return suppressed === null ? offences : [...offences, `${file.path} has ${suppressed[0]}`];
}

function isGenerated(file: RepositoryFile): boolean {
  return /\bgenerated\b.*\bdo not edit\b/is.test(file.text.slice(0, 600));
}

function linesOf(text: string): number {
  return text.trimEnd().split("\n").length;
}

/** Files that are too long to be about one thing. */
export function overlongFile(file: RepositoryFile): string[] {
  const lines = linesOf(file.text);
  if (lines <= FILE_LINES_MAX || isGenerated(file)) return [];
  return [`${file.path} has ${lines} lines, at most ${FILE_LINES_MAX} are allowed`];
}

/** Functions that do not fit a screen. */
export function overlongFunctions(file: RepositoryFile): string[] {
  if (isGenerated(file)) return [];
  return walk(file, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return undefined;
    const lines = linesOf(node.getText());
    return lines > FUNCTION_LINES_MAX ? `is a function of ${lines} lines` : undefined;
  });
}

/** Work that was put off in a comment. */
export function postponedWork(file: RepositoryFile): string[] {
  // Put together, so that this file does not offend by naming the words.
  const words = new RegExp(
    `\\b(${["TO", "FIX"].map((start, i) => start + ["DO", "ME"][i]).join("|")})\\b`,
  );
  return file.text
    .split("\n")
    .flatMap((line, i) => (words.test(line) ? [`${file.path}:${i + 1} postpones work`] : []));
}

/** Documents whose number of first-level headings is not one. */
export function headingCount(file: RepositoryFile): string[] {
  const prose = file.text.replace(/^(```|~~~)[\s\S]*?^\1/gm, "");
  const count = prose.match(/^# /gm)?.length ?? 0;
  return count === 1 ? [] : [`${file.path} has ${count} first-level headings`];
}
