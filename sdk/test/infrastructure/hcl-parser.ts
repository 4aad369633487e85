/** A reader of the part of HCL that exports are written in: blocks, attributes, literals, references, heredocs. */

/** A reference, as in `aws_kinesis_stream.clicks.arn`. */
export interface HclReference {
  readonly reference: string;
}

export type HclValue =
  | string
  | number
  | HclReference
  | readonly HclValue[]
  | { readonly [key: string]: HclValue };

export interface HclBlock {
  readonly type: string;
  readonly labels: readonly string[];
  readonly attributes: ReadonlyMap<string, HclValue>;
  readonly blocks: readonly HclBlock[];
  /** Comments right above it. */
  readonly comments: readonly string[];
}

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The match of a pattern right here, which is passed then. */
  take(pattern: RegExp): RegExpExecArray | undefined {
    const sticky = new RegExp(pattern.source, "uy");
    sticky.lastIndex = this.#at;
    const match = sticky.exec(this.#text);
    if (match === null) return undefined;
    this.#at = sticky.lastIndex;
    return match;
  }

  must(pattern: RegExp): RegExpExecArray {
    const match = this.take(pattern);
    if (match !== undefined) return match;
    const near = this.#text.slice(this.#at, this.#at + 60);
    throw new Error(`HCL: expected ${pattern} at ${JSON.stringify(near)}`);
  }

  get done(): boolean {
    return this.#at === this.#text.length;
  }
}

/** Reads a configuration. @throws Error at whatever is none of what exports hold. */
export function parseHcl(text: string): HclBlock {
  const reader = new Reader(text);
  const body = readBody(reader, () => reader.done);
  return { type: "", labels: [], comments: [], ...body };
}

function readBody(reader: Reader, isOver: () => boolean): Pick<HclBlock, "attributes" | "blocks"> {
  const attributes = new Map<string, HclValue>();
  const blocks: HclBlock[] = [];
  let comments: string[] = [];
  while (!isOver()) {
    if (reader.take(/[ ]*\n/) !== undefined) {
      comments = [];
      continue;
    }
    reader.take(/[ ]*/);
    const comment = reader.take(/# ([^\n]*)\n/);
    if (comment !== undefined) {
      comments.push(comment[1] ?? "");
      continue;
    }
    const [, name = ""] = reader.must(/([a-zA-Z_][a-zA-Z0-9_-]*)/);
    if (reader.take(/ +(?==)/) !== undefined) {
      if (attributes.has(name)) throw new Error(`HCL: attribute ${name} stands twice`);
      reader.must(/= /);
      attributes.set(name, readValue(reader));
      reader.must(/\n/);
      continue;
    }
    const labels: string[] = [];
    while (reader.take(/ (?=")/) !== undefined) labels.push(readLiteral(reader));
    reader.must(/ \{/);
    const isEmpty = reader.take(/(?=\})/) !== undefined;
    if (!isEmpty) reader.must(/\n/);
    const body = readBody(reader, () => reader.take(/[ ]*\}/) !== undefined);
    reader.must(/\n/);
    blocks.push({ type: name, labels, comments, ...body });
    comments = [];
  }
  return { attributes, blocks };
}

function readValue(reader: Reader): HclValue {
  const number = reader.take(/\d+/);
  if (number !== undefined) return Number(number[0]);
  if (reader.take(/(?=")/) !== undefined) return readLiteral(reader);
  if (reader.take(/\[/) !== undefined) {
    const items: HclValue[] = [];
    while (reader.take(/\]/) === undefined) {
      items.push(readValue(reader));
      reader.take(/, /);
    }
    return items;
  }
  if (reader.take(/\{\n/) !== undefined) {
    const members: Record<string, HclValue> = {};
    while (reader.take(/[ ]*\}/) === undefined) {
      reader.take(/[ ]+/);
      const key =
        reader.take(/(?=")/) === undefined ? reader.must(/[a-z_]+/)[0] : readLiteral(reader);
      if (Object.hasOwn(members, key)) throw new Error(`HCL: key ${key} stands twice`);
      reader.must(/ +=/);
      reader.must(/ /);
      members[key] = readValue(reader);
      reader.must(/\n/);
    }
    return members;
  }
  const heredoc = reader.take(/<<POLICY\n([\s\S]*?\n)POLICY(?=\n)/);
  if (heredoc !== undefined) return unescapeTemplate(heredoc[1] ?? "");
  return { reference: reader.must(/[a-zA-Z_][a-zA-Z0-9_.-]*/)[0] };
}

function readLiteral(reader: Reader): string {
  const [, raw = ""] = reader.must(/"((?:[^"\\\n]|\\.)*)"/);
  // Templates are found before escapes are read, so that an escaped sign opens none.
  return unescapeTemplate(raw).replace(
    /\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/gu,
    (_, four?: string, eight?: string, one?: string) => {
      const code = four ?? eight;
      if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
      const character = ESCAPES[one ?? ""];
      if (character === undefined) throw new Error(`HCL: unknown escape \\${one}`);
      return character;
    },
  );
}

/** References stay as they are written, between `${` and `}`; any other template is an error. */
function unescapeTemplate(text: string): string {
  for (const [, opening = "", inside = ""] of text.matchAll(/((?<!\$)\$|(?<!%)%)\{([^}]*)/g)) {
    const isReference = opening === "$" && /^(data\.)?aws_[a-zA-Z0-9_.-]+$/.test(inside);
    if (!isReference) throw new Error(`HCL: ${opening}{${inside} would be evaluated`);
  }
  return text.replaceAll("$${", "${").replaceAll("%%{", "%{");
}
