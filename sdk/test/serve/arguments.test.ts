/** Command lines: what they ask for, and how they are refused. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "chai";
import { InvalidArgumentError } from "millrace";
import { describe, it } from "vitest";
import { readCommand, USAGE, UsageError } from "../../src/serve/arguments.ts";
import { checkServeOptions, urlOf } from "../../src/serve/options.ts";
import { isLoopback } from "../../src/serve/pages.ts";

async function optionsOf(line: string) {
  const command = await readCommand(line.split(" "));
  if (command.kind !== "serve") return assert.fail(`it asks for ${command.kind}`);
  return checkServeOptions(command.options);
}

async function refusalOf(line: string): Promise<unknown> {
  return await optionsOf(line).then(
    () => assert.fail(`${line} was accepted`),
    (error: unknown) => error,
  );
}

describe("a command line", () => {
  it("asks for a server in memory at the usual port of this machine", async () => {
    const { port, host, directory, time, quotas, transitionMs, accessKeys, tls } =
      await optionsOf("serve");
    assert.deepEqual([port, host, directory, tls], [4567, "127.0.0.1", undefined, undefined]);
    assert.deepEqual([time, quotas, transitionMs, accessKeys], ["system", "aws", 0, []]);
  });

  it("may say otherwise about everything", async () => {
    const options = await optionsOf(
      "serve --port 0 --host 0.0.0.0 --data ./streams --time virtual --quotas aws " +
        "--control-quotas --transition-ms 500 --access-key A:b:c --access-key B:d " +
        "--allow-origin null --allow-origin https://app.example",
    );
    const { port, host, directory, time, quotas, controlQuotas, transitionMs } = options;
    assert.deepEqual([port, host, directory, time], [0, "0.0.0.0", "./streams", "virtual"]);
    assert.deepEqual([quotas, controlQuotas, transitionMs], ["aws", true, 500]);
    assert.deepEqual(options.origins, ["null", "https://app.example"]);
    assert.deepEqual(options.accessKeys, [
      { accessKeyId: "A", secretAccessKey: "b:c" },
      { accessKeyId: "B", secretAccessKey: "d" },
    ]);
  });

  it("names files for TLS, both or none", async () => {
    const directory = mkdtempSync(join(tmpdir(), "millrace-arguments-"));
    const file = join(directory, "pem");
    writeFileSync(file, "PEM");
    try {
      const command = await readCommand(["serve", "--tls-cert", file, "--tls-key", file]);
      assert.strictEqual(command.kind === "serve" && String(command.options.tls?.key), "PEM");
      assert.instanceOf(await refusalOf(`serve --tls-cert ${file}`), UsageError);
      assert.instanceOf(await refusalOf(`serve --tls-cert ${file} --tls-key ${file}-`), UsageError);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("is refused for files that are not PEM, and does not quote them", async () => {
    const tls = { cert: "no certificate", key: "a secret that is no key" };
    try {
      checkServeOptions({ tls });
      assert.fail("they were accepted");
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      assert.strictEqual(error.argument, "tls");
      assert.notInclude(error.message, "secret");
    }
  });

  it("gets help when it asks, or says nothing", async () => {
    for (const words of [[], ["--help"], ["serve", "-h"]]) {
      assert.deepEqual(await readCommand(words), { kind: "help" });
    }
    assert.deepEqual(await readCommand(["--version"]), { kind: "version" });
    assert.include(USAGE, "--access-key");
  });

  for (const line of [
    "listen",
    "serve streams",
    "serve --prot 1",
    "serve --port many",
    "serve --port -1",
    "serve --access-key A",
    "serve --access-key :b",
    "serve --access-key A:",
  ]) {
    it(`is refused: ${line}`, async () => {
      assert.instanceOf(await refusalOf(line), UsageError);
    });
  }

  for (const [line, argument] of [
    ["serve --port 65536", "port"],
    ["serve --time soon", "--time"],
    ["serve --quotas none", "--quotas"],
    ["serve --transition-ms 86400001", "transitionMs"],
    ["serve --access-key a/b:c", "accessKeys[0].accessKeyId"],
    ["serve --allow-origin * --allow-origin https://app.example/", "origins[1]"],
    ["serve --allow-origin app.example", "origins[0]"],
  ] as const) {
    it(`is refused for its ${argument}: ${line}`, async () => {
      const error = await refusalOf(line);
      if (!(error instanceof InvalidArgumentError)) return assert.fail(String(error));
      assert.strictEqual(error.argument, argument);
    });
  }
});

describe("an address", () => {
  it("is of this machine only, or not", () => {
    for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost", "app.localhost"])
      assert.isTrue(isLoopback(host));
    for (const host of [
      "0.0.0.0",
      "::",
      "192.168.1.1",
      "127.example",
      "localhost.example",
      "example.org",
    ]) {
      assert.isFalse(isLoopback(host), host);
    }
  });

  it("is put into a URL by which this machine reaches it", () => {
    assert.strictEqual(urlOf("http", "0.0.0.0", 1), "http://127.0.0.1:1");
    assert.strictEqual(urlOf("https", "::", 2), "https://[::1]:2");
    assert.strictEqual(urlOf("http", "localhost", 3), "http://localhost:3");
  });
});
