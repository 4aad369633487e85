/** A process of Node that tells how it is in lines of JSON, and that a suite runs to its end or kills. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Starts it; `ended` resolves with how, `lines` are what it prints. */
export function startProcess(settings) {
  const child = spawn(process.execPath, settings, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  return { child, ended, lines: createInterface({ input: child.stdout }) };
}

/** Runs a started process, whose `name` a failure tells, to its end. Resolves with the last thing it said. */
export async function lastWordOf({ child, ended, lines }, name) {
  child.stdin.end();
  let last = {};
  lines.on("line", (line) => {
    last = JSON.parse(line);
  });
  const { code } = await ended;
  if (code !== 0) throw new Error(`${name} ended with ${code}`);
  return last;
}
