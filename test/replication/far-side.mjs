/** A far side in a process of its own, behind an endpoint that does mischief and has a gate. */
import { startProcess } from "../harness/killed-process.mjs";

/** See above. */
export class FarSide {
  #child;
  #ended;
  /** What it said last. */
  #last;
  /** Resolves what waits for a held call. */
  #held = () => undefined;
  /** Calls that it did in silence so far. */
  heldCalls = 0;
  /** Its endpoints: behind the mischief, and without it where the process tells that. */
  url;
  direct;

  constructor({ child, ended, lines }, { url, direct }) {
    this.#child = child;
    this.#ended = ended;
    this.url = url;
    this.direct = direct;
    lines.on("line", (line) => {
      this.#last = JSON.parse(line);
      if (this.#last.held === undefined) return;
      this.heldCalls = this.#last.held;
      this.#held();
    });
  }

  /** Starts it by the words of its command; resolves when it listens. */
  static async start(words) {
    const started = startProcess(words);
    const first = new Promise((resolve) => {
      started.lines.once("line", (line) => resolve(JSON.parse(line)));
    });
    const ended = started.ended.then(() => undefined);
    const said = await Promise.race([first, ended]);
    if (said === undefined) throw new Error("the far side did not start");
    return new FarSide(started, said);
  }

  /** Answers so many more calls that move records, and does all later ones in silence. Resolves with the first of those. */
  async shutAfter(calls) {
    const held = new Promise((resolve) => {
      this.#held = resolve;
    });
    this.#tell({ shutAfter: calls });
    await held;
  }

  /** Answers again. */
  open() {
    this.#tell({});
  }

  /** Ends it in order. Resolves with what it counted. */
  async stop() {
    this.#child.stdin.end();
    await this.#ended;
    return this.#last.counts;
  }

  kill() {
    this.#child.kill("SIGKILL");
  }

  #tell(message) {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }
}

/**
 * Runs a started process until its far side is silent behind so many calls, and kills it then, with calls under way.
 * Rejects when it ends before.
 */
export async function killedAfter(far, calls, { child, ended, lines }) {
  const problems = [];
  lines.on("line", (line) => {
    const { failed } = JSON.parse(line);
    if (failed !== undefined) problems.push(failed);
  });
  const held = far.shutAfter(calls).then(() => "held");
  const first = await Promise.race([held, ended.then(() => "ended")]);
  child.kill("SIGKILL");
  const { code } = await ended;
  far.open();
  if (first === "ended") {
    throw new Error(`it ended with ${code} before it was killed; ${problems.join("; ")}`);
  }
  return problems;
}
