/**
 * What checks infrastructure code: the tools' own validators where this machine has them, and always a check
 * against the properties and limits that AWS and the provider publish.
 */
import { Buffer } from "node:buffer";
import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assert } from "chai";

/** Configurations of a suite that are loaded, one process each. */
const LOADED_MAX = 8;

function versionOf(command: string, argument: string): string | undefined {
  try {
    const output = execFileSync(command, [argument], { stdio: ["ignore", "pipe", "ignore"] });
    return output.toString().split("\n")[0];
  } catch {
    return undefined;
  }
}

/** What the machine has, by its version; undefined where it is not there. */
export const CFN_LINT = versionOf("cfn-lint", "--version");
export const TERRAFORM = versionOf("terraform", "version");

/** Says which validators judge, so that a report shows when one was not there. */
export function nameValidators(): void {
  const words = [
    `CloudFormation: ${CFN_LINT ?? "no cfn-lint here; own check of the published schema only"}`,
    `Terraform: ${TERRAFORM ?? "no terraform here; own parser and check of the published schema only"}`,
  ];
  process.stdout.write(`validators: ${words.join("; ")}\n`);
}

interface Outcome {
  readonly code: number;
  readonly output: string;
}

function run(command: string, words: readonly string[], directory: string, input?: string) {
  return new Promise<Outcome>((resolve) => {
    const child = execFile(
      command,
      [...words],
      { cwd: directory, encoding: "utf8", maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
        resolve({ code, output: `${stdout}${stderr}` });
      },
    );
    child.stdin?.end(input);
  });
}

async function inDirectory<Answer>(work: (directory: string) => Promise<Answer>): Promise<Answer> {
  const directory = await mkdtemp(join(tmpdir(), "millrace-infrastructure-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Collects what the tools are to judge: they start slowly, so that all of a suite is judged at once. */
export class Judge {
  readonly #templates: string[] = [];
  readonly #configurations: string[] = [];

  /** Remembers a template and a configuration. */
  note(template: string, configuration: string): void {
    this.#templates.push(template);
    this.#configurations.push(configuration);
  }

  /** Has cfn-lint judge all templates: errors and warnings fail. */
  async lintTemplates(): Promise<void> {
    assert.isNotEmpty(this.#templates);
    if (CFN_LINT === undefined) return;
    await inDirectory(async (directory) => {
      const names = this.#templates.map((_, i) => `template-${i}.json`);
      for (const [i, name] of names.entries()) {
        await writeFile(join(directory, name), this.#templates[i] ?? "");
      }
      const words = ["--regions", "us-east-1", "--", ...names];
      const { code, output } = await run("cfn-lint", words, directory);
      assert.strictEqual(code, 0, output);
    });
  }

  /**
   * Has terraform judge all configurations without their provider, which takes a network: that they are laid
   * out as `fmt` has it, and of the last ones that they load, which finds double names and impossible ones.
   */
  async loadConfigurations(): Promise<void> {
    assert.isNotEmpty(this.#configurations);
    if (TERRAFORM === undefined) return;
    await inDirectory(async (directory) => {
      for (const [i, text] of this.#configurations.entries()) {
        await writeFile(join(directory, `main-${i}.tf`), text);
      }
      const { code, output } = await run("terraform", ["fmt", "-check", "-diff"], directory);
      assert.strictEqual(code, 0, output);
    });
    for (const text of this.#configurations.slice(-LOADED_MAX)) await loads(text);
  }
}

async function loads(configuration: string): Promise<void> {
  await inDirectory(async (directory) => {
    await writeFile(join(directory, "main.tf"), configuration);
    const { code, output } = await run("terraform", ["providers", "-no-color"], directory);
    assert.strictEqual(code, 0, output);
    assert.include(output, "provider[registry.terraform.io/hashicorp/aws]");
  });
}

/** What terraform makes of expressions. */
export async function evaluate(expressions: readonly string[]): Promise<unknown[]> {
  return await inDirectory(async (directory) => {
    const locals = expressions.map((expression, i) => `  v${i} = ${expression}`);
    await writeFile(join(directory, "main.tf"), `locals {\n${locals.join("\n")}\n}\n`);
    const wish = `base64encode(jsonencode([${expressions.map((_, i) => `local.v${i}`).join(", ")}]))\n`;
    const { code, output } = await run("terraform", ["console"], directory, wish);
    assert.strictEqual(code, 0, output);
    // The console shows a text as a literal of its own, in which base64 needs no escapes.
    const [, shown = ""] = /^"([a-zA-Z0-9+/=]+)"$/m.exec(output) ?? [];
    return JSON.parse(Buffer.from(shown, "base64").toString()) as unknown[];
  });
}
