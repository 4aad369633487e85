/** Literals of HCL and identifiers, at their edges. */
import { beforeAll, describe, expect, it } from "vitest";
import {
  attributes,
  comment,
  escapeTemplate,
  hclAsciiText,
  hclText,
} from "../../src/infrastructure/hcl.ts";
import { Identifiers, logicalPart, terraformName } from "../../src/infrastructure/identifiers.ts";
import { parseHcl } from "./hcl-parser.ts";
import { Dice } from "./support.ts";
import { evaluate, nameValidators, TERRAFORM } from "./validators.ts";

const ALPHABET = "ab$%{}\\\"'~#\n\r\t\u0000\u0007\u007f\u2028éあ𝒳";

beforeAll(nameValidators);

function someTexts(): string[] {
  const dice = new Dice(7);
  const edges = [
    "",
    "$",
    "$${",
    `\${a}`,
    "%{if true}",
    "%%{",
    "$%{",
    "%${",
    "$$$${x}",
    "\\${",
    "<<POLICY",
  ];
  return [...edges, ...Array.from({ length: 200 }, () => dice.text(ALPHABET, 0, 12))];
}

describe("literals", () => {
  it("mean the text that they were made of, whatever it is", () => {
    for (const text of someTexts()) {
      for (const literal of [hclText(text), hclAsciiText(text)]) {
        expect(parseHcl(`a = ${literal}\n`).attributes.get("a")).toBe(text);
      }
      expect(hclAsciiText(text)).toMatch(/^[ -~]*$/);
    }
  });

  it.skipIf(TERRAFORM === undefined)(
    "mean the same to terraform, in heredocs of JSON, too",
    async () => {
      // Terraform keeps no null characters.
      const texts = someTexts().map((text) => text.replaceAll("\u0000", ""));
      expect(await evaluate(texts.map(hclText))).toEqual(texts);
      expect(await evaluate(texts.map(hclAsciiText))).toEqual(texts);
      const json = texts.map(
        (text) => `<<POLICY\n${escapeTemplate(JSON.stringify(text))}\nPOLICY\n`,
      );
      const documents = await evaluate(json);
      expect(documents.map((document) => JSON.parse(String(document)))).toEqual(texts);
    },
    120_000,
  );

  it("align and stay on their lines", () => {
    expect(
      attributes([
        ["a", "1"],
        ["long", "2"],
      ]),
    ).toEqual(["a    = 1", "long = 2"]);
    expect(attributes([])).toEqual([]);
    expect(comment("one\ntwo\r\n three ")).toBe("# one two three");
  });
});

describe("identifiers", () => {
  it("are the names where these are simple, and bear a digest where not", () => {
    expect(logicalPart("clicks")).toBe("Clicks");
    expect(logicalPart("my-stream.v2")).toBe(`MyStreamV2H${logicalPart("my-stream.v2").slice(-8)}`);
    expect(logicalPart("my_stream.v2")).not.toBe(logicalPart("my-stream.v2"));
    expect(logicalPart("Clicks")).not.toBe(logicalPart("clicks"));
    expect(terraformName("my-stream_2")).toBe("my-stream_2");
    expect(terraformName("a", "b")).toBe("a--b");
    expect(terraformName("my.stream")).toMatch(/^my_stream_h[0-9a-f]{8}$/);
    expect(terraformName("1st")).toMatch(/^_1st_h[0-9a-f]{8}$/);
    expect(terraformName("a--b")).not.toBe("a--b");
    expect(terraformName("a--b", "c")).not.toBe(terraformName("a", "b--c"));
  });

  it("are given out once, even when wishes are the same", () => {
    const identifiers = new Identifiers();
    expect(["a", "a", "a2", "a"].map((wish) => identifiers.take(wish))).toEqual([
      "a",
      "a2",
      "a22",
      "a3",
    ]);
  });
});
