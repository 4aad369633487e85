/** Every error of the engine has an answer that AWS's clients know what to do with. */
import { assert } from "chai";
import * as errors from "../../src/errors/index.ts";
import { awsErrorOf } from "../../src/model/aws-error.ts";
import { operations } from "../../src/model/shapes.ts";

/** Codes that every operation may answer, besides those that it declares. */
const COMMON = [
  "ValidationException",
  "SerializationException",
  "AccessDeniedException",
  "ServiceUnavailable",
  "NotSupportedException",
];

const declared = new Set([...Object.values(operations).flatMap((one) => one.errors), ...COMMON]);

function isErrorClass(value: unknown): value is errors.MillraceErrorClass {
  return typeof value === "function" && value.prototype instanceof errors.MillraceError;
}

const classes = Object.values<unknown>(errors).filter(isErrorClass);

describe("awsErrorOf", () => {
  it("answers every error class with a code that clients know", () => {
    assert.isAbove(classes.length, 30);
    for (const errorClass of classes) {
      const { code, message } = awsErrorOf(new errorClass("text"));
      assert.include([...declared], code, errorClass.name);
      assert.equal(message, "text");
    }
  });

  it("blames the server for what the caller cannot mend, and tells what may be over from what is not", () => {
    const answers: [Error, string, number][] = [
      [new errors.ResourceNotFoundError("x"), "ResourceNotFoundException", 400],
      [new errors.ThroughputExceededError("x"), "ProvisionedThroughputExceededException", 400],
      [new errors.BackpressureError("x"), "ProvisionedThroughputExceededException", 400],
      [new errors.StoreFullError("x"), "LimitExceededException", 400],
      [new errors.RecordTooLargeError("x"), "ValidationException", 400],
      [new errors.EngineClosedError("x"), "ServiceUnavailable", 503],
      [new errors.IndeterminateError("x"), "InternalFailureException", 500],
      [new errors.InternalFailureError("x"), "InternalFailureException", 500],
      [new errors.MillraceError("KMSThrottlingException", "x"), "KMSThrottlingException", 400],
      [new errors.MillraceError("InternalFailure", "x"), "InternalFailure", 500],
    ];
    for (const [error, code, statusCode] of answers) {
      const fault = statusCode < 500 ? "client" : "server";
      assert.deepEqual(awsErrorOf(error), { code, message: "x", statusCode, fault });
    }
  });

  it("makes an internal failure of anything else", () => {
    for (const thrown of [new TypeError("x"), "x", undefined, null, { code: "x" }]) {
      const { code, statusCode } = awsErrorOf(thrown);
      assert.deepEqual([code, statusCode], ["InternalFailureException", 500]);
    }
  });
});
