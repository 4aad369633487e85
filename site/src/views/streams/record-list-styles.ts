/** Layout of the list of records: rows of one height, columns that give way on a phone. */
import { css, unsafeCSS } from "lit";
import { ROW_PX } from "../../records/row-window.ts";

/** Rules of the list of records. */
export const recordListStyles = css`
  .frame {
    position: relative;
  }

  .box {
    block-size: clamp(320px, 62dvh, 720px);
    overflow: auto;
    overflow-anchor: none;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--raised);
    font: var(--text-small) var(--face-mono);
    font-variant-numeric: tabular-nums;
  }

  .head {
    position: sticky;
    inset-block-start: 0;
    z-index: 1;
    background: var(--panel);
  }

  .row {
    display: grid;
    grid-template-columns: 96px 52px minmax(90px, 150px) 190px 66px minmax(120px, 1fr);
    gap: calc(var(--unit) * 2);
    align-items: center;
    block-size: ${unsafeCSS(ROW_PX)}px;
    padding-inline: calc(var(--unit) * 3);
    border-block-end: 1px solid var(--line);
    cursor: pointer;
  }

  .head .row {
    color: var(--ink-soft);
    font-family: var(--face);
    cursor: default;
  }

  .row > span {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .size {
    text-align: end;
  }

  .swatch {
    inline-size: 9px;
    block-size: 9px;
    margin-inline-end: 6px;
  }

  .row[aria-selected="true"] {
    background: var(--water-wash);
    box-shadow: inset 3px 0 0 var(--water);
  }

  .row:not(.head .row):hover {
    background: var(--water-wash);
  }

  .box:focus-visible .row.active {
    outline: var(--focus);
    outline-offset: -2px;
  }

  .sequence {
    display: flex;
    align-items: center;
    justify-content: space-between;
  }

  .sequence button {
    visibility: hidden;
    min-block-size: 22px;
    padding: 0 4px;
    border: 0;
    background: transparent;
  }

  .row:hover .sequence button {
    visibility: visible;
  }

  .pill {
    position: absolute;
    inset-block-end: calc(var(--unit) * 4);
    inset-inline: 0;
    inline-size: fit-content;
    margin-inline: auto;
    border-radius: 999px;
    box-shadow: var(--shadow);
  }

  @media (max-width: 1100px) {
    .row {
      grid-template-columns: 96px 52px minmax(80px, 130px) 66px minmax(120px, 1fr);
    }

    .sequence {
      display: none;
    }
  }

  @media (max-width: 700px) {
    .box {
      block-size: 56dvh;
    }

    .row {
      grid-template-columns: 92px 34px minmax(0, 1fr);
      padding-inline: calc(var(--unit) * 2);
    }

    .key,
    .size {
      display: none;
    }

    .head .shard {
      overflow: visible;
      text-indent: -4px;
    }
  }
`;
