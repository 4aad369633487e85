/** Event stream messages, read by the codec of the official client. */
import { EventStreamCodec } from "@smithy/core/event-streams";
import { assert } from "chai";
import { crc32 } from "../../../src/aws/codec/crc32.ts";
import {
  encodeMessage,
  errorMessage,
  event,
  exception,
  initialResponse,
} from "../../../src/aws/codec/event-stream.ts";

const official = new EventStreamCodec(
  (bytes) => (typeof bytes === "string" ? bytes : new TextDecoder().decode(bytes)),
  (text) => new TextEncoder().encode(text),
);

interface Read {
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

function read(message: Uint8Array): Read {
  const { headers, body } = official.decode(message);
  const values = Object.entries(headers).map(([name, header]) => [name, header.value]);
  return {
    headers: Object.fromEntries(values) as Read["headers"],
    body: new TextDecoder().decode(body),
  };
}

describe("event stream messages", () => {
  it("begin with the initial response", () => {
    assert.deepEqual(read(initialResponse()), {
      headers: {
        ":event-type": "initial-response",
        ":content-type": "application/x-amz-json-1.1",
        ":message-type": "event",
      },
      body: "{}",
    });
  });

  it("carry events, exceptions and errors", () => {
    const payload = new TextEncoder().encode('{"Records":[]}');
    assert.deepEqual(read(event("SubscribeToShardEvent", payload, "application/x-amz-cbor-1.1")), {
      headers: {
        ":event-type": "SubscribeToShardEvent",
        ":content-type": "application/x-amz-cbor-1.1",
        ":message-type": "event",
      },
      body: '{"Records":[]}',
    });
    assert.deepEqual(read(exception("ResourceInUseException", payload)).headers, {
      ":exception-type": "ResourceInUseException",
      ":content-type": "application/x-amz-json-1.1",
      ":message-type": "exception",
    });
    assert.deepEqual(read(errorMessage("InternalFailure", "\u20ac".repeat(5000))), {
      headers: {
        ":error-code": "InternalFailure",
        ":error-message": "\u20ac".repeat(4096),
        ":message-type": "error",
      },
      body: "",
    });
  });

  it("are what the official codec encodes", () => {
    for (let length = 0; length < 200; length += 7) {
      const body = Uint8Array.from({ length }, (_, i) => i * 31);
      const headers = { "a-name": { type: "string" as const, value: "\u20ac".repeat(length) } };
      const ours = encodeMessage([["a-name", "\u20ac".repeat(length)]], body);
      assert.deepEqual([...ours], [...official.encode({ headers, body })]);
    }
  });

  it("are refused after any change", () => {
    const message = event("SubscribeToShardEvent", new TextEncoder().encode("{}"));
    for (let at = 0; at < message.length; at++) {
      const changed = message.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.throws(() => official.decode(changed));
    }
  });
});

describe("crc32", () => {
  it("is the one that its check value tells", () => {
    const check = new TextEncoder().encode("123456789");
    assert.equal(crc32(check), 0xcbf43926);
    assert.equal(crc32(check.subarray(4), crc32(check.subarray(0, 4))), 0xcbf43926);
    assert.equal(crc32(new Uint8Array()), 0);
  });
});
