/** Pieces of HCL, Terraform's language, as `terraform fmt` lays them out. */

/** A text as a literal. Characters that open a template are doubled, so that nothing is evaluated. */
export function hclText(text: string): string {
  const escaped = text
    .replace(/["\\]/g, (character) => `\\${character}`)
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\t", "\\t")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that a literal cannot hold.
    .replace(/[\u0000-\u001f\u007f\u2028\u2029]/g, unicodeEscape);
  return `"${escapeTemplate(escaped)}"`;
}

/**
 * A text within a template in which nothing is evaluated. Where a sign stands twice before a brace, doubling is
 * ambiguous: it is escaped as JSON and literals alike have it.
 */
export function escapeTemplate(text: string): string {
  return text.replace(/(\$+|%+)\{/g, (opening, signs: string) =>
    signs.length === 1 ? `${signs}${opening}` : `${signs.replace(/./g, unicodeEscape)}{`,
  );
}

/** A text that was escaped for a template, before a reference: its last signs would take that for a text. */
export function escapeTrailingSigns(text: string): string {
  return text.replace(/[$%]+$/, (signs) => signs.replace(/./g, unicodeEscape));
}

/** A text as a literal of ASCII only, whose width on the screen is the number of its characters. */
export function hclAsciiText(text: string): string {
  return hclText(text).replace(/[^\u0020-\u007e]/gu, unicodeEscape);
}

function unicodeEscape(character: string): string {
  const hexadecimal = (character.codePointAt(0) ?? 0).toString(16);
  return hexadecimal.length <= 4
    ? `\\u${hexadecimal.padStart(4, "0")}`
    : `\\U${hexadecimal.padStart(8, "0")}`;
}

/** A list of texts on one line. */
export function hclList(texts: readonly string[]): string {
  return `[${texts.map(hclText).join(", ")}]`;
}

/** Lines of a body, one level deeper. */
export function indent(lines: readonly string[]): string[] {
  return lines.map((line) => (line === "" ? "" : `  ${line}`));
}

/** Attributes one below the other, their signs of equality aligned. Names are ASCII, values one line each. */
export function attributes(pairs: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)} = ${value}`);
}

/** A block with its header and braces. */
export function block(header: string, body: readonly string[]): string[] {
  return [`${header} {`, ...indent(body), "}"];
}

/** A comment of one line, whatever breaks there are in the text. */
export function comment(text: string): string {
  return `# ${text.replace(/\s+/g, " ").trim()}`;
}
