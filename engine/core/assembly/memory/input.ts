/**
 * Where the host writes what a call works on: a resident area of 1 MiB, or a run of arena blocks for
 * more. One input at a time.
 */
import { BLOCK_BYTES, SLACK_BYTES } from "../layout";
import { takeRun } from "../log/space";
import { releaseRun } from "./arena";
import { takeTable } from "./tables";

const RESIDENT_BYTES: u32 = 1048576 + 65536;

let resident: usize = 0;
let run: usize = 0;
let runBlocks: u32 = 0;

/** Takes the resident area; false when there is no memory for it. */
export function openInput(): bool {
  run = 0;
  resident = takeTable(RESIDENT_BYTES + SLACK_BYTES);
  return resident != 0;
}

/** Bytes that the resident area takes. */
export function inputResidentBytes(): u32 {
  return RESIDENT_BYTES;
}

/** Address for `byteLength` bytes of input, with slack behind; 0 when there is no memory. */
export function reserveInput(byteLength: u32): usize {
  return byteLength <= RESIDENT_BYTES ? resident : reserveRun(byteLength);
}

/** The same, always in a run of arena blocks; {@link giveRunAway} may make it a segment. */
export function reserveRun(byteLength: u32): usize {
  assert(run == 0, "one input at a time");
  const blocks = (byteLength + SLACK_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES;
  const address = takeRun(blocks);
  if (address == 0) return 0;
  run = address;
  runBlocks = blocks;
  return run;
}

/** The input is done with. */
export function releaseInput(): void {
  if (run == 0) return;
  const address = run;
  run = 0;
  releaseRun(address, runBlocks);
}

/** The input's run belongs to a segment now. */
export function giveRunAway(): void {
  run = 0;
}
