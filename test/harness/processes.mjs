/** Processes of a browser: found by what they were started with, and killed with all that they started. Linux only. */
import { readdirSync, readFileSync } from "node:fs";

function allPids() {
  return readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
}

/** Ids of the processes with a word on their command line that `matches`. */
export function processesWith(matches) {
  return allPids()
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").some(matches);
      } catch {
        // The process ended while the list was read.
        return false;
      }
    })
    .map(Number);
}

/** The state letter and what follows it in a process's status; the name before may hold anything. */
function statusOf(pid) {
  const status = readFileSync(`/proc/${pid}/stat`, "utf8");
  return status.slice(status.lastIndexOf(")") + 2).split(" ");
}

/** Every process that descends from the given ones, themselves included. */
export function withDescendants(pids) {
  const parents = new Map();
  for (const entry of allPids()) {
    try {
      parents.set(Number(entry), Number(statusOf(entry)[1]));
    } catch {
      // The process ended while the list was read.
    }
  }
  const found = new Set(pids);
  let grew = true;
  while (grew) {
    grew = false;
    for (const [pid, parent] of parents) {
      if (!found.has(parent) || found.has(pid)) continue;
      found.add(pid);
      grew = true;
    }
  }
  return [...found];
}

function isAlive(pid) {
  try {
    return statusOf(pid)[0] !== "Z";
  } catch {
    return false;
  }
}

/** Kills processes with SIGKILL, at once. Resolves with their number when none of them is left. */
export async function killAll(pids) {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  }
  while (pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 10));
  return pids.length;
}
