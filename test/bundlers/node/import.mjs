/** Imports every entry where there is no browser, as a server does that renders pages. */
const touched = [];
for (const name of ["window", "document", "Worker", "SharedWorker", "indexedDB", "localStorage"]) {
  Object.defineProperty(globalThis, name, {
    configurable: true,
    get() {
      touched.push(name);
      return undefined;
    },
  });
}
const { open } = await import("millrace");
const inline = await import("millrace/inline");
await import("millrace/aws");
await import("millrace/plugin");
const onImport = [...touched];

const read = [];
for (const openEngine of [open, inline.open]) {
  const millrace = await openEngine({ name: "rendered", storage: "memory" });
  const stream = await millrace.streams.create("clicks");
  await stream.putRecords(
    Array.from({ length: 1000 }, (_, i) => ({ partitionKey: `${i}`, data: { i } })),
  );
  const numbers = new Set();
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    numbers.add(record.json().i);
  }
  await millrace.close();
  read.push(numbers.size);
}
process.stdout.write(JSON.stringify({ onImport, read }));
