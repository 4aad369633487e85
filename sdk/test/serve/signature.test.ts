/** Signatures: what the official signer makes is accepted, anything that differs from it is not. */
import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import type { SourceData } from "@smithy/types";
import { assert } from "chai";
import { describe, it } from "vitest";
import {
  SignatureError,
  SignatureVerifier,
  type SignedRequest,
} from "../../src/serve/signature.ts";

const NOW_MS = Date.UTC(2026, 0, 15, 12, 0, 0);
const KEY = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG" };
const OTHER = { accessKeyId: "AKIDOTHER", secretAccessKey: "another secret" };

function bytesOf(data: SourceData): Uint8Array | string {
  if (typeof data === "string") return data;
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  return new Uint8Array(data);
}

class Sha256 {
  readonly #hash;
  constructor(secret?: SourceData) {
    this.#hash =
      secret === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(secret));
  }
  update(data: SourceData): void {
    this.#hash.update(bytesOf(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

interface Plan {
  readonly key?: typeof KEY;
  readonly atMs?: number;
  readonly service?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly query?: Record<string, string>;
  readonly path?: string;
  readonly presignSeconds?: number;
}

/** A request as the official client signs it. */
async function signed(plan: Plan = {}): Promise<SignedRequest & { change: Change }> {
  const { key = KEY, body = '{"Limit":1}', service = "kinesis", path = "/", query = {} } = plan;
  const signer = new SignatureV4({
    credentials: key,
    region: "eu-west-1",
    service,
    sha256: Sha256,
  });
  const signingDate = new Date(plan.atMs ?? NOW_MS);
  const request = {
    method: "POST",
    protocol: "http:",
    hostname: "127.0.0.1",
    port: 4567,
    path,
    query,
    headers: { host: "127.0.0.1:4567", "x-amz-target": "Kinesis_20131202.X", ...plan.headers },
    body,
  };
  const { presignSeconds } = plan;
  const made =
    presignSeconds === undefined
      ? await signer.sign(request, { signingDate })
      : await signer.presign(request, { signingDate, expiresIn: presignSeconds });
  const search = new URLSearchParams(made.query as Record<string, string>).toString();
  const change: Change = { headers: { ...made.headers }, body: String(made.body) };
  return {
    change,
    method: "POST",
    target: search === "" ? made.path : `${made.path}?${search}`,
    header: (name) => change.headers[name],
    get body() {
      return new TextEncoder().encode(change.body);
    },
  };
}

interface Change {
  headers: Record<string, string>;
  body: string;
}

function verifierAt(nowMs = NOW_MS): SignatureVerifier {
  return new SignatureVerifier([OTHER, KEY], { nowMs: () => nowMs, after: () => () => undefined });
}

function refusal(request: SignedRequest, verifier = verifierAt()): SignatureError {
  try {
    verifier.verify(request);
  } catch (error) {
    if (error instanceof SignatureError) return error;
    throw error;
  }
  return assert.fail("the signature was accepted");
}

describe("a signature in a header", () => {
  it("is accepted as the official client makes it", async () => {
    assert.strictEqual(verifierAt().verify(await signed()), KEY.accessKeyId);
    assert.strictEqual(verifierAt().verify(await signed({ key: OTHER })), OTHER.accessKeyId);
    assert.strictEqual(verifierAt().verify(await signed({ body: "" })), KEY.accessKeyId);
  });

  it("covers blanks, unusual paths and queries as AWS writes them", async () => {
    const request = await signed({
      path: "/_millrace/a b",
      query: { "b z": "ü*'()", a: "2", "a-": "~" },
      headers: { "x-amz-meta": "  two   blanks " },
    });
    assert.strictEqual(verifierAt().verify(request), KEY.accessKeyId);
  });

  it("may cover :authority where HTTP/2 has no host", async () => {
    const request = await signed({ headers: { ":authority": "127.0.0.1:4567" } });
    delete request.change.headers["host"];
    assert.strictEqual(verifierAt().verify(request), KEY.accessKeyId);
  });

  const changes: Record<string, (change: Change) => void> = {
    "another body": (change) => {
      change.body += " ";
    },
    "another signed header": (change) => {
      change.headers["x-amz-target"] = "Kinesis_20131202.DeleteStream";
    },
    "a signed header that is gone": (change) => {
      delete change.headers["x-amz-target"];
    },
    "another signature": (change) => {
      change.headers["authorization"] = (change.headers["authorization"] ?? "").replace(
        /Signature=./,
        "Signature=g",
      );
    },
    "a shorter signature": (change) => {
      change.headers["authorization"] = (change.headers["authorization"] ?? "").slice(0, -1);
    },
    "another region": (change) => {
      change.headers["authorization"] = (change.headers["authorization"] ?? "").replace(
        "eu-west-1",
        "us-east-1",
      );
    },
  };
  for (const [what, apply] of Object.entries(changes)) {
    it(`does not fit ${what}`, async () => {
      const request = await signed();
      apply(request.change);
      const error = refusal(request);
      assert.strictEqual(error.code, "InvalidSignatureException");
      assert.match(error.message, /^The request signature we calculated does not match/);
    });
  }

  it("of a wrong secret or an unknown key is refused", async () => {
    const wrong = refusal(await signed({ key: { ...KEY, secretAccessKey: "guess" } }));
    assert.strictEqual(wrong.code, "InvalidSignatureException");
    const unknown = refusal(await signed({ key: { ...KEY, accessKeyId: "NOBODY" } }));
    assert.strictEqual(unknown.code, "UnrecognizedClientException");
    assert.strictEqual(unknown.message, "The security token included in the request is invalid.");
  });

  it("is good for five minutes before and after its time", async () => {
    const edge = 300_000;
    for (const atMs of [NOW_MS - edge, NOW_MS + edge]) {
      assert.strictEqual(verifierAt().verify(await signed({ atMs })), KEY.accessKeyId);
    }
    const late = refusal(await signed({ atMs: NOW_MS - edge - 1000 }));
    assert.strictEqual(late.code, "InvalidSignatureException");
    assert.strictEqual(
      late.message,
      "Signature expired: 20260115T115459Z is now earlier than 20260115T115500Z (20260115T120000Z - 5 min.)",
    );
    const early = refusal(await signed({ atMs: NOW_MS + edge + 1000 }));
    assert.strictEqual(
      early.message,
      "Signature not yet current: 20260115T120501Z is still later than 20260115T120500Z (20260115T120000Z + 5 min.)",
    );
  });

  it("must be scoped to Kinesis and to its own day", async () => {
    assert.include(refusal(await signed({ service: "s3" })).message, "'kinesis'");
    const request = await signed();
    request.change.headers["authorization"] = (request.change.headers["authorization"] ?? "")
      .replace("/20260115/", "/20260114/")
      .replace("aws4_request", "aws5");
    assert.match(refusal(request).message, /terminator.*'20260114' != '20260115'/);
  });

  it("is asked for when it is missing, and named when it is not whole", async () => {
    const request = await signed();
    delete request.change.headers["authorization"];
    assert.strictEqual(refusal(request).code, "MissingAuthenticationTokenException");
    request.change.headers["authorization"] = "Bearer x";
    assert.strictEqual(refusal(request).code, "MissingAuthenticationTokenException");
    request.change.headers["authorization"] = "AWS4-HMAC-SHA256 Credential=a";
    const incomplete = refusal(request);
    assert.strictEqual(incomplete.code, "IncompleteSignatureException");
    assert.include(incomplete.message, "'Signature'");
    assert.include(incomplete.message, "'SignedHeaders'");
    assert.notInclude(incomplete.message, "'Credential'");
    delete request.change.headers["x-amz-date"];
    assert.include(refusal(request).message, "'X-Amz-Date' or a 'Date'");
    request.change.headers["x-amz-date"] = "today";
    request.change.headers["authorization"] =
      `AWS4-HMAC-SHA256 Credential=${KEY.accessKeyId}/today/r/kinesis/aws4_request, SignedHeaders=host, Signature=0`;
    assert.strictEqual(refusal(request).code, "IncompleteSignatureException");
  });
});

describe("what is signed", () => {
  for (const name of ["host", "x-amz-target"]) {
    it(`must be ${name}, among others`, async () => {
      const request = await signed();
      const { headers } = request.change;
      headers["authorization"] = (headers["authorization"] ?? "")
        .replace(`${name};`, "")
        .replace(`;${name}`, "");
      assert.include(refusal(request).message.toLowerCase(), `'${name}'`);
    });
  }

  it("is not what a presigned request says of itself later", async () => {
    const request = await signed({ presignSeconds: 60 });
    assert.strictEqual(verifierAt().verify(request), KEY.accessKeyId);
    request.change.headers["x-amz-target"] = "Kinesis_20131202.DeleteStream";
    assert.include(refusal(request).message, "'X-Amz-Target'");
  });
});

describe("a signature in the query", () => {
  it("is accepted as the official client makes it, until it expires", async () => {
    const request = await signed({ presignSeconds: 60 });
    assert.include(request.target, "X-Amz-Signature=");
    assert.strictEqual(verifierAt().verify(request), KEY.accessKeyId);
    assert.strictEqual(verifierAt(NOW_MS + 60_000).verify(request), KEY.accessKeyId);
    const error = refusal(request, verifierAt(NOW_MS + 61_000));
    assert.match(error.message, /^Signature expired: 20260115T120100Z/);
  });

  it("must fit, be whole, and be the only one", async () => {
    const request = await signed({ presignSeconds: 60 });
    assert.match(refusal({ ...request, target: `${request.target}&a=b` }).message, /^The request/);
    const target = request.target.replace(/X-Amz-Credential=[^&]*&?/, "");
    assert.include(refusal({ ...request, target }).message, "X-Amz-Credential");
    const long = request.target.replace("X-Amz-Expires=60", "X-Amz-Expires=604801");
    assert.strictEqual(refusal({ ...request, target: long }).code, "IncompleteSignatureException");
    request.change.headers["authorization"] = "AWS4-HMAC-SHA256 x";
    assert.match(refusal(request).message, /^Found both/);
  });
});

describe("a secret that is shown", () => {
  it("is known with its own key only", () => {
    const verifier = verifierAt();
    assert.isTrue(verifier.knows(KEY.accessKeyId, KEY.secretAccessKey));
    assert.isFalse(verifier.knows(KEY.accessKeyId, OTHER.secretAccessKey));
    assert.isFalse(verifier.knows("NOBODY", ""));
  });
});
