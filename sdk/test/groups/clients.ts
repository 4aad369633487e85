/** Clients between a group and its engine, for tests of what happens when one of them is not what it should be. */
import { type EngineClient, IndeterminateError, StoreFullError } from "@millrace/engine";

/** A client that passes everything on. */
export class PassingClient implements EngineClient {
  protected readonly inner: EngineClient;
  readonly name: string;
  readonly clock: EngineClient["clock"];
  readonly pool: EngineClient["pool"];

  constructor(inner: EngineClient) {
    this.inner = inner;
    this.name = inner.name;
    this.clock = inner.clock;
    this.pool = inner.pool;
  }

  get closed(): boolean {
    return this.inner.closed;
  }

  async call(...[operation, argument, ms]: Parameters<EngineClient["call"]>): Promise<never> {
    return (await this.inner.call(operation, argument, ms)) as never;
  }

  put(...argument: Parameters<EngineClient["put"]>): ReturnType<EngineClient["put"]> {
    return this.inner.put(...argument);
  }

  commitEpoch(
    ...argument: Parameters<EngineClient["commitEpoch"]>
  ): ReturnType<EngineClient["commitEpoch"]> {
    return this.inner.commitEpoch(...argument);
  }

  read(...argument: Parameters<EngineClient["read"]>): ReturnType<EngineClient["read"]> {
    return this.inner.read(...argument);
  }

  onLeave(listener: () => void): () => void {
    return this.inner.onLeave(listener);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

/** A client whose worker is not heard of any more as soon as it is silent. */
export class MuteClient extends PassingClient {
  silent = false;

  override async call(
    ...[operation, argument, ms]: Parameters<EngineClient["call"]>
  ): Promise<never> {
    if (operation !== "groupPoll") return await super.call(operation, argument, ms);
    if (this.silent) return await new Promise<never>(() => undefined);
    return await super.call(operation, { ...argument, waitMs: 20 } as never, ms);
  }
}

/** A client whose worker hears of its first leases late. */
export class LateClient extends PassingClient {
  /** Lets the first answer through. */
  hear: () => void = () => undefined;
  #heard: Promise<void> | undefined;

  override async call(
    ...[operation, argument, ms]: Parameters<EngineClient["call"]>
  ): Promise<never> {
    if (operation === "groupPoll") {
      this.#heard ??= new Promise((resolve) => {
        this.hear = resolve;
      });
      await this.#heard;
    }
    return await super.call(operation, argument, ms);
  }
}

/** A client that notes how many leases each epoch was for. */
export class CountingClient extends PassingClient {
  readonly shards: number[] = [];

  override commitEpoch(
    ...argument: Parameters<EngineClient["commitEpoch"]>
  ): ReturnType<EngineClient["commitEpoch"]> {
    this.shards.push(argument[0].checkpoints.length);
    return super.commitEpoch(...argument);
  }
}

/** A client by which every fourth epoch is refused, and the answer to every fourth other one is lost. */
export class TroubledClient extends PassingClient {
  commits = 0;

  override async commitEpoch(...argument: Parameters<EngineClient["commitEpoch"]>) {
    this.commits += 1;
    const turn = this.commits % 4;
    if (turn === 2) throw new StoreFullError("there is no room, just now");
    const answer = await super.commitEpoch(...argument);
    if (turn === 0) throw new IndeterminateError("the answer is lost", { indeterminate: true });
    return answer;
  }
}
