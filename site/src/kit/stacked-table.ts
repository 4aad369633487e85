/**
 * Tables that are no wider than a phone: there each row becomes a block, and each cell says what it is.
 *
 * For `<table class="stacks">` beside the rules of tables. Cells that are no row's head need `data-label`;
 * all parts need their roles written out, because browsers take them from what is not laid out as a table.
 */
import { css } from "lit";

/** See above. */
export const stackedTableStyles = css`
  @media (max-width: 700px) {
    table.stacks,
    .stacks tbody,
    .stacks th,
    .stacks td {
      display: block;
    }

    .stacks thead {
      position: absolute;
      inline-size: 1px;
      block-size: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }

    .stacks tbody tr {
      display: grid;
      grid-template-columns: repeat(2, minmax(0, 1fr));
      gap: calc(var(--unit) * 2) calc(var(--unit) * 4);
      padding-block: calc(var(--unit) * 3);
      border-block-end: 1px solid var(--line);
    }

    .stacks tbody tr:first-child {
      padding-block-start: 0;
    }

    .stacks tbody tr:last-child {
      padding-block-end: 0;
      border-block-end: 0;
    }

    .stacks tbody th,
    .stacks tbody td {
      min-inline-size: 0;
      padding: 0;
      border-block-end: 0;
      text-align: start;
      white-space: normal;
      overflow-wrap: anywhere;
    }

    .stacks tbody th,
    .stacks tbody td.wide {
      grid-column: 1 / -1;
    }

    .stacks td[data-label]::before {
      display: block;
      color: var(--ink-soft);
      font: 400 var(--text-small) / 1.4 var(--face);
      content: attr(data-label);
    }
  }
`;
