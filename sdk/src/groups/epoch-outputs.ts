/** Output records of epochs, checked and packed: one batch of a stream, or more where one is too small. */
import {
  BatchEncoder,
  type CheckedRecord,
  checkRecord,
  type EngineClient,
  InternalFailureError,
  type NewestShard,
  type PackedBatch,
  type StreamDescription,
} from "@millrace/engine";
import { checkName, refuse } from "../check.ts";
import type { OutputRecord } from "./group-types.ts";

type OutputStream = Pick<StreamDescription, "uid" | "recordKibMax">;

/** One record, checked, with what it is called in errors. */
interface CheckedOutput {
  readonly streamName: string;
  readonly name: string;
  readonly record: CheckedRecord;
}

/** Packs outputs; remembers the streams that they go to. */
export class EpochOutputs {
  readonly #client: EngineClient;
  readonly #streams = new Map<string, Promise<OutputStream>>();

  constructor(client: EngineClient) {
    this.#client = client;
  }

  /**
   * The records as batches, each stream's in their order. @throws InvalidArgumentError, RecordTooLargeError,
   * ResourceNotFoundError.
   */
  async pack(outputs: readonly OutputRecord[]): Promise<PackedBatch[]> {
    const byStream = new Map<string, CheckedOutput[]>();
    for (const [i, output] of outputs.entries()) {
      const checked = checkOutput(`outputs[${i}]`, output);
      const others = byStream.get(checked.streamName);
      if (others === undefined) byStream.set(checked.streamName, [checked]);
      else others.push(checked);
    }
    const names = [...byStream.keys()];
    const streams = await Promise.all(names.map((name) => this.#stream(name)));
    return streams.flatMap((stream, i) => this.#pack(stream, byStream.get(names[i] ?? "") ?? []));
  }

  /** Forgets the streams, of which one may have been deleted and created anew. */
  forget(): void {
    this.#streams.clear();
  }

  /** What is known of a stream. @throws ResourceNotFoundError. */
  async #stream(name: string): Promise<OutputStream> {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = this.#client.call("describeStream", { name });
      stream.catch(() => this.#streams.delete(name));
      this.#streams.set(name, stream);
    }
    return await stream;
  }

  /** By uid what is given by stream name. @throws ResourceNotFoundError. */
  async newestByUid(newest: Readonly<Record<string, number>>): Promise<NewestShard[]> {
    return await Promise.all(
      Object.entries(newest).map(async ([name, shardIndex]) => {
        const { uid: streamUid } = await this.#stream(name);
        return { streamUid, shardIndex };
      }),
    );
  }

  /** Most bytes that a record of a stream may have. @throws ResourceNotFoundError. */
  async recordBytesMax(streamName: string): Promise<number> {
    return (await this.#stream(streamName)).recordKibMax * 1024;
  }

  #pack({ uid, recordKibMax }: OutputStream, outputs: readonly CheckedOutput[]): PackedBatch[] {
    const batches: PackedBatch[] = [];
    let encoder = new BatchEncoder(this.#client.pool);
    try {
      for (const { record, name } of outputs) {
        if (encoder.add(record, name, recordKibMax * 1024)) continue;
        batches.push(encoder.finish(uid));
        encoder = new BatchEncoder(this.#client.pool);
        if (!encoder.add(record, name, recordKibMax * 1024)) {
          throw new InternalFailureError(`${name} fits no batch`, { argument: name });
        }
      }
    } catch (error) {
      encoder.discard();
      for (const { buffer } of batches) this.#client.pool.give(buffer);
      throw error;
    }
    batches.push(encoder.finish(uid));
    return batches;
  }
}

function checkOutput(name: string, output: OutputRecord): CheckedOutput {
  if (typeof output !== "object" || output === null) {
    refuse(name, "an object with streamName, partitionKey and data", output, "an output record");
  }
  const streamName = checkName(`${name}.streamName`, output.streamName);
  return { streamName, name, record: checkRecord(name, output) };
}

/** A batch in a buffer of its own, so that it can be sent more than once. */
export function copyOf({ buffer, byteLength, recordCount }: PackedBatch): PackedBatch {
  return { buffer: buffer.slice(0, byteLength), byteLength, recordCount };
}
