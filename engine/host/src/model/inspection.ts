/** One look through an input: where it is at present, and which constraints it found broken. */
import { ValidationError } from "../errors/index.ts";
import type { ConstraintText } from "./constraints.ts";
import { ValuePath } from "./value-path.ts";

/** Broken constraints that one error names, as AWS does. */
const VIOLATIONS_MAX = 10;
/** Characters of a value that a message shows; AWS shows all, however many megabytes. */
const SHOWN_CHARACTERS_MAX = 4096;
/** Characters of a value that the error's details keep. */
const DETAIL_CHARACTERS_MAX = 80;

interface Violation extends ConstraintText {
  readonly place: string;
  readonly argument: string;
  /** The value as text; null when it is absent. */
  readonly shown: string | null;
}

function cut(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;
}

/** Shows parts one after another until the message would become too long. */
function showParts<Part>(parts: readonly Part[], showPart: (part: Part) => string): string {
  let joined = "";
  for (const part of parts) {
    joined += joined === "" ? showPart(part) : `, ${showPart(part)}`;
    if (joined.length > SHOWN_CHARACTERS_MAX) break;
  }
  return cut(joined, SHOWN_CHARACTERS_MAX);
}

/** A value as AWS's messages show it. */
function show(value: unknown): string {
  if (typeof value === "string") return cut(value, SHOWN_CHARACTERS_MAX);
  if (value instanceof Uint8Array) {
    const { byteLength } = value;
    return `java.nio.HeapByteBuffer[pos=0 lim=${byteLength} cap=${byteLength}]`;
  }
  if (Array.isArray(value)) return `[${showParts(value, show)}]`;
  if (typeof value === "object" && value !== null && !(value instanceof Date)) {
    return `{${showParts(Object.entries(value), ([key, of]) => `${key}=${show(of)}`)}}`;
  }
  return String(value);
}

/** Collects what is wrong with one input. */
export class Inspection extends ValuePath {
  readonly #violations: Violation[] = [];

  /** Notes that the value at the present place breaks a constraint; null and undefined are both null. */
  report(value: unknown, { text, limit }: ConstraintText): void {
    if (this.#violations.length === VIOLATIONS_MAX) return;
    const absent = value === undefined || value === null;
    const shown = absent ? null : show(value);
    this.#violations.push({ text, limit, shown, place: this.place, argument: this.argument });
  }

  /** @throws ValidationError when a constraint was found broken. */
  conclude(): void {
    const [first] = this.#violations;
    if (first === undefined) return;
    const count = this.#violations.length;
    const texts = this.#violations.map(
      ({ shown, place, text }) =>
        `Value ${shown === null ? shown : `'${shown}'`} at '${place}' failed to satisfy constraint: ${text}`,
    );
    const { argument, limit, shown } = first;
    throw new ValidationError(
      `${count} validation error${count === 1 ? "" : "s"} detected: ${texts.join("; ")}`,
      { argument, limit, value: shown === null ? null : cut(shown, DETAIL_CHARACTERS_MAX) },
    );
  }
}
