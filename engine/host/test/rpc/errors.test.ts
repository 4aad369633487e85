import { beforeAll, describe, expect, it, vi } from "vitest";
import * as errors from "../../src/errors/index.ts";

const classes = Object.entries(errors).flatMap(([name, value]) =>
  typeof value === "function" && value.prototype instanceof errors.MillraceError
    ? [[name, value as errors.MillraceErrorClass] as const]
    : [],
);

const details = {
  argument: "records[3].partitionKey",
  value: "x",
  limit: 256,
  retryable: true,
  retryAfterMs: 120,
  indeterminate: true,
};

function cross(error: unknown): errors.MillraceError {
  return errors.reviveError(structuredClone(errors.serializeError(error)));
}

describe("errors that cross a thread border", () => {
  it.each(classes)("%s keeps class, name, code, message and details", (name, errorClass) => {
    const error = new errorClass("it went wrong", { ...details, cause: new TypeError("inner") });
    const revived = cross(error);
    expect(revived).toBeInstanceOf(errorClass);
    expect(revived).toBeInstanceOf(errors.MillraceError);
    expect(revived.name).toBe(name);
    const { code, message, argument, value, limit, retryable, retryAfterMs, indeterminate } = error;
    expect(revived).toMatchObject({
      ...{ code, message, argument, value, limit, retryable, retryAfterMs, indeterminate },
    });
    expect(revived.cause).toMatchObject({ name: "TypeError", message: "inner" });
    expect(revived.stack).toBe(error.stack);
  });

  it("knows every class of the list", () => {
    expect(classes.length).toBeGreaterThanOrEqual(26);
  });

  it("keeps name and code of a class that this side does not know", () => {
    class StrangeError extends errors.MillraceError {
      constructor(message: string) {
        super("StrangeException", message, { retryable: true });
      }
    }
    const revived = cross(new StrangeError("odd"));
    expect(revived).toMatchObject({
      name: "StrangeError",
      code: "StrangeException",
      message: "odd",
    });
    expect(revived.retryable).toBe(true);
  });

  it("makes an unexpected error an InternalFailureError with the original as its cause", () => {
    const revived = cross(new RangeError("out of it", { cause: new Error("deep") }));
    expect(revived).toBeInstanceOf(errors.InternalFailureError);
    expect(revived.message).toContain("RangeError: out of it");
    expect(revived.cause).toMatchObject({ name: "RangeError", message: "out of it" });
    expect((revived.cause as Error).cause).toMatchObject({ message: "deep" });
  });

  it.each([["a string"], [undefined], [null], [42], [Object.create(null)]])(
    "makes an error of anything that is thrown: %s",
    (thrown) => {
      expect(cross(thrown)).toBeInstanceOf(errors.InternalFailureError);
    },
  );

  it("ends at a cause that causes itself", () => {
    const error = new Error("loop");
    error.cause = error;
    expect(cross(new errors.DeadlineError("late", { cause: error })).message).toBe("late");
  });

  it("keeps the name of a registered class that a minifier renamed", () => {
    const minified = class e extends errors.MillraceError {
      constructor(message: string, details?: errors.ErrorDetails) {
        super("ReadableException", message, details);
      }
    };
    expect(new minified("y").name).toBe("e");
    errors.registerError("ReadableError", minified);
    expect(new minified("y").name).toBe("ReadableError");
    expect(cross(new minified("y"))).toBeInstanceOf(minified);
  });
});

describe("errors of another copy of the package", () => {
  let others: typeof errors;
  beforeAll(async () => {
    vi.resetModules();
    others = await import("../../src/errors/index.ts");
  });

  it.each(classes)("%s becomes this copy's, with all that it says", (name, errorClass) => {
    const other: unknown = Reflect.get(others, name);
    const stranger = new (other as errors.MillraceErrorClass)("it went wrong", details);
    expect(stranger).not.toBeInstanceOf(errors.MillraceError);
    const adopted = errors.adoptError(stranger);
    expect(adopted).toBeInstanceOf(errorClass);
    const { code, message, stack } = stranger;
    expect(adopted).toMatchObject({ name, code, message, stack, ...details });
  });

  it("keeps what caused it, and adopts that, too", () => {
    const network = new TypeError("no network");
    const refused = new others.AccessDeniedError("no", { cause: network });
    const adopted = errors.adoptError(new others.DeadlineError("late", { cause: refused }));
    const cause = (adopted as Error).cause;
    expect(cause).toBeInstanceOf(errors.AccessDeniedError);
    expect((cause as Error).cause).toBe(network);
  });

  it("ends at a cause that causes itself", () => {
    const loop = new others.DeadlineError("late");
    loop.cause = loop;
    expect(errors.adoptError(loop)).toBeInstanceOf(errors.DeadlineError);
  });

  it.each([
    [new RangeError("out of it")],
    [Object.assign(new Error("of a system"), { code: "ECONNREFUSED" })],
    [{ code: "X", retryable: true, indeterminate: false, message: "no error" }],
    [new errors.DeadlineError("ours")],
    [undefined],
  ])("leaves anything else as it is: %s", (thrown) => {
    expect(errors.adoptError(thrown)).toBe(thrown);
  });
});

describe("texts of errors", () => {
  it("are AWS's for a stream that is not there", () => {
    expect(errors.ResourceNotFoundError.stream("clicks").message).toBe(
      "Stream clicks under account 000000000000 not found.",
    );
  });

  it("are AWS's for a shard over its quota, followed by the limit", () => {
    expect(
      errors.ThroughputExceededError.text("shardId-000000000000", "s", "1 MiB per second"),
    ).toBe(
      "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000. " +
        "Limit: 1 MiB per second.",
    );
  });

  it("name the field in which a stream differs, what was wanted and what was found", () => {
    const error = errors.StreamSpecMismatchError.field("clicks", "shards", 2, 4);
    expect(error).toMatchObject({
      argument: "shards",
      value: 2,
      limit: 4,
      code: "ResourceInUseException",
    });
    expect(error.message).toContain("shards is 4, not 2");
  });
});
