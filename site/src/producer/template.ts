/** Templates of records: text with placeholders in double braces, read by a parser of their own. */
import {
  type Argument,
  type RecordContext,
  TEMPLATE_FUNCTIONS,
  type TemplateFunction,
} from "./template-functions.ts";

/** A template that cannot be read, with the place of the trouble. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  /** Characters before the place. */
  readonly position: number;

  constructor(message: string, position: number) {
    super(`${message}, at character ${position + 1}`);
    this.position = position;
  }
}

interface Placeholder {
  readonly of: TemplateFunction;
  readonly given: readonly Argument[];
}

/** A template that was read. */
export interface Template {
  readonly text: string;
  readonly parts: readonly (string | Placeholder)[];
}

const NAME = /[a-zA-Z]\w*/y;
const NUMBER = /-?\d+(\.\d+)?(?=\s*[,)])/y;
const QUOTED = /"(?:[^"\\]|\\.)*"/y;
const BARE = /[^,(){}"]+/y;
const SPACE = /\s*/y;

/** Walks through the text of a template. */
class Scanner {
  readonly #text: string;
  position: number;

  constructor(text: string, position: number) {
    this.#text = text;
    this.position = position;
  }

  /** What matches here, which is passed; undefined when nothing does. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.#text)?.[0];
    this.position += found?.length ?? 0;
    return found;
  }

  /** Whether a text stands here, which is passed, with the space after it. */
  takes(token: string): boolean {
    if (!this.#text.startsWith(token, this.position)) return false;
    this.position += token.length;
    this.take(SPACE);
    return true;
  }

  /** Whether the closing braces stand here, which are passed; what comes after them is text. */
  takesEnd(): boolean {
    if (!this.#text.startsWith("}}", this.position)) return false;
    this.position += 2;
    return true;
  }

  /** @throws TemplateError. */
  fail(message: string, position = this.position): never {
    throw new TemplateError(message, position);
  }
}

function argumentAt(scanner: Scanner): Argument {
  const number = scanner.take(NUMBER);
  if (number !== undefined) return Number(number);
  const from = scanner.position;
  const quoted = scanner.take(QUOTED);
  if (quoted === undefined) {
    return scanner.take(BARE)?.trim() ?? scanner.fail("an argument is missing");
  }
  try {
    return String(JSON.parse(quoted));
  } catch {
    return scanner.fail("this is no text in quotes", from);
  }
}

function argumentsAt(scanner: Scanner): Argument[] {
  const given: Argument[] = [];
  if (!scanner.takes("(") || scanner.takes(")")) return given;
  do {
    given.push(argumentAt(scanner));
    scanner.take(SPACE);
  } while (scanner.takes(","));
  if (!scanner.takes(")")) scanner.fail("a closing parenthesis is missing");
  return given;
}

/** Reads a placeholder whose braces begin at the scanner's position. */
function placeholderAt(scanner: Scanner): Placeholder {
  const from = scanner.position;
  scanner.takes("{{");
  const name = scanner.take(NAME) ?? scanner.fail("the name of a placeholder is missing");
  const found = Object.hasOwn(TEMPLATE_FUNCTIONS, name) ? TEMPLATE_FUNCTIONS[name] : undefined;
  const names = Object.keys(TEMPLATE_FUNCTIONS).join(", ");
  const of = found ?? scanner.fail(`there is no placeholder ${name}, only ${names}`, from);
  scanner.take(SPACE);
  const given = argumentsAt(scanner);
  if (!scanner.takesEnd()) scanner.fail("the closing braces of a placeholder are missing");
  const refused = of.refuse(given);
  if (refused !== undefined) scanner.fail(`${name}, as in {{${of.usage}}}: ${refused}`, from);
  return { of, given };
}

/** Reads a template. @throws TemplateError. */
export function parseTemplate(text: string): Template {
  const parts: (string | Placeholder)[] = [];
  let end = 0;
  for (;;) {
    const begin = text.indexOf("{{", end);
    if (begin > end || begin < 0) parts.push(text.slice(end, begin < 0 ? undefined : begin));
    if (begin < 0) return { text, parts: parts.filter((part) => part !== "") };
    const scanner = new Scanner(text, begin);
    parts.push(placeholderAt(scanner));
    end = scanner.position;
  }
}

/** The text of one record. */
export function fillIn({ parts }: Template, context: RecordContext): string {
  return parts
    .map((part) => (typeof part === "string" ? part : part.of.make(part.given, context)))
    .join("");
}

/** The template as a template literal of JavaScript, in which `i` counts the records. */
export function literalOf({ parts }: Template): string {
  const inner = parts.map((part) =>
    typeof part === "string"
      ? part.replace(/[\\`]|\$(?=\{)/g, "\\$&")
      : `\${${part.of.code(part.given)}}`,
  );
  return `\`${inner.join("")}\``;
}

/** The functions that the literals of templates call, each once. */
export function helpersOf(templates: readonly Template[]): string[] {
  const helpers = templates.flatMap(({ parts }) =>
    parts.flatMap((part) => (typeof part === "string" ? [] : [part.of.helper])),
  );
  return [...new Set(helpers)].filter((helper) => helper !== undefined);
}
