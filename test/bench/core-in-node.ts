/** The benchmarks of the core alone, in Node; prints their rows as JSON. */
import { readFile } from "node:fs/promises";
import { appendRows } from "./cases/append.ts";
import { md5Rows } from "./cases/md5.ts";

const [rounds, corePath = "", floorPath = ""] = process.argv.slice(2);
const where = "node";
const rows = [
  ...(await md5Rows(await readFile(floorPath), where, Number(rounds))),
  ...(await appendRows(await readFile(corePath), await readFile(floorPath), where, Number(rounds))),
];
process.stdout.write(JSON.stringify(rows));
