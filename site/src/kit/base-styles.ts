/** Rules that every element of the kit and every view shares; one sheet, adopted by all. */
import { css } from "lit";

/** Boxes, focus, headings, buttons and text for screen readers alone. */
export const baseStyles = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }

  :host {
    display: block;
  }

  :host([hidden]),
  [hidden] {
    display: none !important;
  }

  :focus-visible {
    outline: var(--focus);
    outline-offset: 2px;
  }

  h1,
  h2,
  h3,
  p,
  dl,
  dd,
  ul {
    margin: 0;
    padding: 0;
  }

  ul {
    list-style: none;
  }

  .mono {
    font-family: var(--face-mono);
    font-variant-numeric: tabular-nums;
  }

  .soft {
    color: var(--ink-soft);
  }

  .small {
    font-size: var(--text-small);
  }

  .visually-hidden {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: calc(var(--unit) * 2);
    min-block-size: 32px;
    padding: 0 calc(var(--unit) * 3);
    border: 1px solid var(--line-strong);
    border-radius: var(--radius);
    background: var(--raised);
    color: var(--ink);
    font: 500 var(--text) / 1 var(--face);
    white-space: nowrap;
    cursor: pointer;
  }

  button:hover {
    border-color: var(--water);
    color: var(--water);
  }

  button.main {
    border-color: var(--water);
    background: var(--water);
    color: var(--on-water);
  }

  button.main:hover {
    border-color: var(--ink);
  }

  button.danger {
    border-color: var(--hot);
    color: var(--hot);
  }

  button:disabled,
  button:disabled:hover {
    border-color: var(--line);
    background: transparent;
    color: var(--ink-soft);
    cursor: not-allowed;
  }

  svg.icon {
    inline-size: 16px;
    block-size: 16px;
    flex: none;
    fill: none;
    stroke: currentColor;
    stroke-width: 1.75;
    stroke-linecap: round;
    stroke-linejoin: round;
  }

  @media (pointer: coarse) {
    button {
      min-block-size: 40px;
    }
  }
`;

/** Tables of numbers. */
export const tableStyles = css`
  .scroll {
    /* What is hidden from the eye alone is placed in here, and scrolls along. */
    position: relative;
    overflow-x: auto;
  }

  table {
    inline-size: 100%;
    border-collapse: collapse;
    font-size: var(--text);
  }

  th,
  td {
    padding: var(--unit) calc(var(--unit) * 3);
    border-block-end: 1px solid var(--line);
    text-align: end;
    white-space: nowrap;
  }

  th:first-child,
  td:first-child {
    padding-inline-start: 0;
    text-align: start;
  }

  th:last-child,
  td:last-child {
    padding-inline-end: 0;
  }

  tbody tr:last-child > * {
    border-block-end: 0;
  }

  @media (max-width: 700px) {
    th,
    td {
      padding-inline: calc(var(--unit) * 1.5);
    }
  }

  thead th {
    color: var(--ink-soft);
    font-size: var(--text-small);
    font-weight: 500;
    vertical-align: bottom;
  }

  tbody th {
    font-weight: 500;
  }

  td {
    font-family: var(--face-mono);
    font-variant-numeric: tabular-nums;
  }
`;

/** Cells of words in a table of numbers: `class="words"`, also in the head. Stands behind {@link tableStyles}. */
export const wordCellStyles = css`
  th.words,
  td.words {
    font-family: var(--face);
    text-align: start;
  }
`;

/** Links that are names, as in tables: in the colour of the text around them. */
export const nameLinkStyles = css`
  a {
    color: var(--ink);
    text-underline-offset: 3px;
  }
`;

/** Code and data as they are, in a box that scrolls. */
export const preStyles = css`
  pre {
    margin: 0;
    padding: calc(var(--unit) * 3);
    overflow: auto;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--ground);
    font: var(--text-small) / 1.6 var(--face-mono);
  }
`;

/** The colours of the shards, as `color` of whatever has the class, and a patch of it beside a shard's name. */
export const shardStyles = css`
  .swatch {
    display: inline-block;
    inline-size: 12px;
    block-size: 12px;
    margin-inline-end: calc(var(--unit) * 2);
    border-radius: 2px;
    background: currentColor;
  }

  .shard-0 {
    color: var(--shard-0);
  }
  .shard-1 {
    color: var(--shard-1);
  }
  .shard-2 {
    color: var(--shard-2);
  }
  .shard-3 {
    color: var(--shard-3);
  }
  .shard-4 {
    color: var(--shard-4);
  }
  .shard-5 {
    color: var(--shard-5);
  }
  .shard-6 {
    color: var(--shard-6);
  }
  .shard-7 {
    color: var(--shard-7);
  }
`;

/** Class of the colour of a shard; colours repeat after eight, the label never does. */
export function shardClass(shardIndex: number): string {
  return `shard-${shardIndex % 8}`;
}
