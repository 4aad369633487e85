/** Which source may import which: between packages, and between the folders of the engine's host. */

const HOST = "^engine/host/src";

/** Folders of the host from the lowest up; each may import itself and what stands before it here. */
const LAYERS = [
  ["errors"],
  ["model", "storage", "core", "sequence"],
  ["platform"],
  ["log"],
  ["keys"],
  ["streams", "metrics", "access", "channels", "faults"],
  ["groups"],
  ["jobs", "lease-tables"],
  ["service"],
  ["rpc"],
  ["leader"],
];

/** For every layer: it must not import a folder that stands above it, nor an entry file. */
const hostLayers = LAYERS.map((folders, i) => {
  const above = LAYERS.slice(i + 1).flat();
  const forbidden = [...above.map((folder) => `${HOST}/${folder}/`), `${HOST}/[^/]+\\.ts$`];
  return {
    name: `host-${folders.join("-")}-imports-downwards`,
    severity: "error",
    from: { path: `${HOST}/(${folders.join("|")})/` },
    to: { path: forbidden },
  };
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-unresolvable",
      comment: "An import that nothing answers to.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "engine-is-lowest",
      severity: "error",
      from: { path: "^engine/" },
      to: { path: "^(sdk|plugins|site|test)/" },
    },
    {
      name: "core-imports-nothing",
      severity: "error",
      from: { path: "^engine/core/" },
      to: { path: "^engine/host/" },
    },
    {
      name: "sdk-imports-engine-only",
      severity: "error",
      from: { path: "^sdk/" },
      to: { path: "^(plugins|site|test|engine/core)/" },
    },
    {
      name: "plugins-import-sdk-only",
      severity: "error",
      from: { path: "^plugins/" },
      to: { path: "^(engine|site|test)/" },
    },
    {
      name: "site-imports-sdk-and-plugins-only",
      severity: "error",
      from: { path: "^site/" },
      to: { path: "^(engine|test)/" },
    },
    {
      name: "storage-classes-are-the-platform's",
      comment: "The log and all above know the contract; only the platform makes stores.",
      severity: "error",
      from: { path: `${HOST}/`, pathNot: `${HOST}/(storage|platform)/` },
      to: { path: `${HOST}/storage/`, pathNot: `${HOST}/storage/log-store\\.ts$` },
    },
    {
      name: "browser-sources-are-not-node",
      comment: "Only what is named after Node, and the server, may load Node's modules.",
      severity: "error",
      from: {
        path: "^(engine/host|sdk|plugins/[^/]+|site)/src/",
        pathNot: [
          `${HOST}/(local\\.ts$|(platform|storage)/node-)`,
          "^sdk/src/serve/",
          "^sdk/src/jobs/node-",
        ],
      },
      to: { dependencyTypes: ["core"] },
    },
    ...hostLayers,
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|build|coverage|node_modules|test|wasm)/|\\.mjs$" },
    enhancedResolveOptions: {
      conditionNames: ["@millrace/source", "import", "browser", "types"],
      exportsFields: ["exports"],
      extensions: [".ts", ".js"],
    },
    tsConfig: { fileName: "tsconfig.base.json" },
  },
};
