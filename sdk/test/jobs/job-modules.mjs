/** Jobs as applications write them, for the tests: plain modules that need nothing but what they are handed. */

const texts = new TextDecoder();

/** Copies every record to the stream that the settings name, in one step with its checkpoint. */
export function copy({ settings, log, workerIndex }) {
  log(`worker ${workerIndex} copies to ${settings.to}`);
  return () => ({
    processRecords: async ({ records, checkpointer }) => {
      const outputs = records.map(({ partitionKey, data }) => ({
        ...{ streamName: settings.to, partitionKey, data },
      }));
      await checkpointer.checkpoint({ outputs });
    },
  });
}

/** As {@link copy}, and makes the stream that it reads. */
export async function copyOfItsOwn(context) {
  await context.streams.ensure("in", { shards: 1 });
  return copy(context);
}

/** As {@link copy}, and fails outside of any delivery as soon as it meets the text that the settings name. */
export function copyAndCrash(context) {
  const factory = copy(context);
  return (lease) => {
    const { processRecords } = factory(lease);
    return {
      processRecords: async (input) => {
        await processRecords(input);
        const { at, how } = context.settings;
        if (!input.records.some(({ data }) => texts.decode(data) === at)) return;
        if (how === "throw") {
          setTimeout(() => {
            throw new Error("thrown outside of a delivery");
          }, 0);
        } else if (how === "reject")
          void Promise.reject(new Error("rejected outside of a delivery"));
        else for (;;);
      },
    };
  };
}

/** Throws while it begins. */
export function throwsAtOnce() {
  throw new Error("this job cannot begin");
}

/** Throws what its settings name, which is no error, outside of any delivery. */
export function throwsNoError({ settings }) {
  setTimeout(() => {
    throw settings.what;
  }, 0);
  return () => ({ processRecords: () => undefined });
}

/** Its first delivery never ends: an endless loop. */
export function spin() {
  return () => ({
    processRecords: () => {
      for (;;);
    },
  });
}

/** Throws at the first delivery in each worker. */
export function throwsInDelivery(context) {
  const factory = copy(context);
  let failed = false;
  return (lease) => {
    const { processRecords } = factory(lease);
    return {
      processRecords: async (input) => {
        if (!failed) {
          failed = true;
          throw new Error("the first delivery fails");
        }
        await processRecords(input);
      },
    };
  };
}

/** Keeps all that it ever allocates. */
export function leak() {
  const kept = [];
  return () => ({
    processRecords: async () => {
      for (let i = 0; i < 200; i++) {
        kept.push(Array.from({ length: 50_000 }, (_, j) => ({ i, j })));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  });
}

/** Puts a line into a stream through the SDK, and another one when it stops. */
export async function putsLines({ settings, streams, signal }) {
  const stream = await streams.get(settings.to);
  await stream.putRecord({ partitionKey: "line", data: "begun" });
  return {
    factory: () => ({ processRecords: () => undefined }),
    stop: async () => {
      await stream.putRecord({ partitionKey: "line", data: `stopped, ${signal.aborted}` });
    },
  };
}

/** Not a job. */
export const nothing = 7;
