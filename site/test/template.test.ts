/** Templates of the playground: read, filled in, refused with the place of the trouble, and said in code. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  fillIn,
  helpersOf,
  literalOf,
  parseTemplate,
  TemplateError,
} from "../src/producer/template.ts";
import { type RecordContext, TEMPLATE_FUNCTIONS } from "../src/producer/template-functions.ts";

const UUID = "123e4567-e89b-12d3-a456-426614174000";

const context = (random: number, ordinal = 0): RecordContext => ({
  ...{ ordinal, nowMs: 1_763_000_000_123, random: () => random, uuid: () => UUID },
});

const made = (text: string, random = 0, ordinal = 0): string =>
  fillIn(parseTemplate(text), context(random, ordinal));

const ALMOST_ONE = 1 - Number.EPSILON;

describe("a template", () => {
  it("makes text around its placeholders", () => {
    expect(made('{"id": {{counter}}, "at": "{{time}}"}', 0, 7)).toBe(
      '{"id": 7, "at": "2025-11-13T02:13:20.123Z"}',
    );
    expect(made("{{uuid}}/{{epochMs}}")).toBe(`${UUID}/1763000000123`);
    expect(made("{{ counter( 5 ) }}x", 0, 2)).toBe("7x");
  });

  it("reaches both ends of what is random, and not beyond", () => {
    expect([made("{{int(1, 6)}}", 0), made("{{int(1, 6)}}", ALMOST_ONE)]).toEqual(["1", "6"]);
    expect([made("{{int(-3,-3)}}", 0), made("{{int(-3,-3)}}", ALMOST_ONE)]).toEqual(["-3", "-3"]);
    expect([made("{{float(0, 1)}}", 0), made("{{float(-1.5, 2, 0)}}", 1)]).toEqual(["0.00", "2"]);
    expect([made("{{choice(a, b c)}}", 0), made("{{choice(a, b c)}}", ALMOST_ONE)]).toEqual([
      "a",
      "b c",
    ]);
    expect(made('{{choice("x, (y)", "\\"")}}', 0)).toBe("x, (y)");
    expect(made('{{choice("x, (y)", "\\"")}}', ALMOST_ONE)).toBe('"');
    expect(made("{{choice(1e3x, 2)}}", 0)).toBe("1e3x");
    expect(made("{{hex(4)}}", ALMOST_ONE)).toBe("ffff");
  });

  it("lets text without placeholders through as it is", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!text.includes("{{"));
        expect(made(text)).toBe(text);
      }),
    );
  });

  it("ends at the first closing braces: a third one is text", () => {
    expect(made('{"n":{{counter}}}')).toBe('{"n":0}');
    expect(made("{{counter}}}}")).toBe("0}}");
  });

  it.each([
    ["{{", 2, "name"],
    ["ab {{ }}", 6, "name"],
    ["{{nothing}}", 0, "no placeholder nothing"],
    ["{{toString}}", 0, "no placeholder toString"],
    ["{{counter", 9, "closing braces"],
    ["{{counter}", 9, "closing braces"],
    ["{{int(1, 2}}", 10, "closing parenthesis"],
    ["{{int(1,)}}", 8, "argument is missing"],
    ["x{{int(1)}}", 1, "it takes 2"],
    ["{{int(2, 1)}}", 0, "must not be above"],
    ["{{int(1.5, 2)}}", 0, "whole numbers"],
    ["{{int(a, b)}}", 0, "numbers"],
    ["{{float(1, 2, 13)}}", 0, "0 to 12"],
    ["{{choice()}}", 0, "one or more"],
    ["{{uuid(1)}}", 0, "takes none"],
    ["{{hex(0)}}", 0, "1 to 4096"],
    ["{{hex(4097)}}", 0, "1 to 4096"],
    ['{{choice("\\q")}}', 9, "no text in quotes"],
  ])("refuses %s", (text, position, words) => {
    let error: unknown;
    try {
      parseTemplate(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TemplateError);
    expect(error).toMatchObject({ position });
    expect(String(error)).toContain(words);
    expect(String(error)).toContain(`at character ${position + 1}`);
  });

  it("is read or refused, whatever it is, and never otherwise", () => {
    const piece = fc.oneof(
      fc.constantFrom("{{", "}}", "(", ")", ",", '"', "int", "choice", " ", "1", "-", "\\"),
      fc.string({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          expect(typeof made(pieces.join(""), 0.5)).toBe("string");
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError);
        }
      }),
    );
  });

  it("has usages that are themselves templates", () => {
    for (const { usage } of Object.values(TEMPLATE_FUNCTIONS)) {
      expect(made(`{{${usage}}}`, 0.5)).not.toBe("");
    }
  });

  it("says in code what it makes", () => {
    const literal = `\`${"$"}{x}\` \\`;
    const template = parseTemplate(
      `${literal} ${"$"}{{counter}} {{counter(9)}} {{int(4, 4)}} {{float(2, 2, 1)}} {{choice("q'\`")}}`,
    );
    const helpers = helpersOf([template, template]);
    const run = new Function("i", `${helpers.join("\n")}\nreturn ${literalOf(template)};`);
    expect(run(3)).toBe(fillIn(template, context(0.5, 3)));
    expect(run(3)).toBe(`${literal} $3 12 4 2.0 q'\``);
    expect(helpers).toHaveLength(2);
  });
});
