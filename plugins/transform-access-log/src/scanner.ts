/** Reads a line from left to right; what does not fit is told with its column. */

/** A line does not match: `message` says what was expected at which column. */
export class LineMismatch extends Error {
  /** Column at which the line stops to match, from 1. */
  readonly column: number;

  constructor(expected: string, column: number, line: string) {
    const found =
      column > line.length ? "the end of the line" : JSON.stringify(excerpt(line, column));
    super(`expected ${expected} at column ${column}, found ${found}`);
    this.column = column;
  }
}

const EXCERPT_CHARACTERS_MAX = 24;

function excerpt(line: string, column: number): string {
  const rest = line.slice(column - 1);
  return rest.length <= EXCERPT_CHARACTERS_MAX ? rest : `${rest.slice(0, EXCERPT_CHARACTERS_MAX)}…`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  v: "\v",
  f: "\f",
};
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * What the server escaped, as it was: `\"`, `\\`, control characters, and bytes as `\xhh`, which are
 * UTF-8 where they can be. Anything else after a backslash stays as it is.
 */
export function unescapeText(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/(?:\\x[0-9a-fA-F]{2})+|\\./gs, (escaped) => {
    if (escaped.startsWith("\\x") && escaped.length > 2) {
      const bytes = escaped.slice(2).split("\\x");
      return UTF8.decode(Uint8Array.from(bytes, (hex) => Number.parseInt(hex, 16)));
    }
    const character = escaped.charAt(1);
    if (character === '"' || character === "\\") return character;
    return ESCAPES[character] ?? escaped;
  });
}

/** One line, and how far it is read. */
export class Scanner {
  readonly #line: string;
  #position = 0;

  constructor(line: string) {
    this.#line = line;
  }

  /** Fails unless `text` comes next; reads over it. `name` says what it is. @throws LineMismatch. */
  skip(text: string, name: string): void {
    if (!this.#line.startsWith(text, this.#position)) this.fail(name);
    this.#position += text.length;
  }

  /** Reads up to `end`, which must come, over it, and returns what was before, not empty. @throws LineMismatch. */
  until(end: string, name: string): string {
    const at = this.#line.indexOf(end, this.#position);
    if (at <= this.#position) this.fail(name);
    const text = this.#line.slice(this.#position, at);
    this.#position = at + end.length;
    return text;
  }

  /** Reads what a sticky pattern matches. @throws LineMismatch. */
  match(pattern: RegExp, name: string): RegExpExecArray {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#line);
    if (found === null) this.fail(name);
    this.#position = pattern.lastIndex;
    return found;
  }

  /** Reads a text in quotes, in which quotes are escaped, as it stands. @throws LineMismatch. */
  quoted(name: string): string {
    this.skip('"', `the opening quote of ${name}`);
    const line = this.#line;
    for (let at = this.#position; at < line.length; at++) {
      const character = line[at];
      if (character === "\\") at++;
      if (character !== '"') continue;
      const text = line.slice(this.#position, at);
      this.#position = at + 1;
      return text;
    }
    this.#position = line.length;
    return this.fail(`the closing quote of ${name}`);
  }

  /** Fails unless the line is read. @throws LineMismatch. */
  end(): void {
    if (this.#position < this.#line.length) this.fail("the end of the line");
  }

  /** Fails here, or `characters` before. @throws LineMismatch. */
  fail(expected: string, characters = 0): never {
    throw new LineMismatch(expected, this.#position + 1 - characters, this.#line);
  }
}
