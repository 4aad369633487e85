/** Layout of the view of one stream: the strip of facts and the tabs. */
import { css } from "lit";

/** Rules of the view of one stream. */
export const streamStyles = css`
  .facts {
    display: flex;
    flex-wrap: wrap;
    gap: calc(var(--unit) * 3) calc(var(--unit) * 10);
    padding: calc(var(--unit) * 3) calc(var(--unit) * 4);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--panel);
  }

  .facts dt {
    color: var(--ink-soft);
    font-size: var(--text-small);
  }

  .facts dd {
    font-family: var(--face-mono);
    font-size: var(--text);
    font-variant-numeric: tabular-nums;
  }

  .tabs {
    display: flex;
    gap: calc(var(--unit) * 5);
    border-block-end: 1px solid var(--line);
  }

  .tabs a {
    margin-block-end: -1px;
    padding: calc(var(--unit) * 2) var(--unit);
    border-block-end: 2px solid transparent;
    color: var(--ink-soft);
    font-weight: 500;
    text-decoration: none;
  }

  .tabs a[aria-current="page"] {
    border-color: var(--water);
    color: var(--ink);
  }

  .tabs a:hover {
    color: var(--water);
  }

  @media (max-width: 700px) {
    .facts {
      display: grid;
      gap: calc(var(--unit) * 2) calc(var(--unit) * 4);
      grid-template-columns: repeat(2, minmax(0, 1fr));
    }
  }
`;
