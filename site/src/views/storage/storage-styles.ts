/** Layout that the Storage place and its panels share. */
import { css } from "lit";

/** Pairs of panels, readings side by side, and lines that end in a button. */
export const storageStyles = css`
  .pair {
    display: grid;
    grid-template-columns: repeat(2, minmax(0, 1fr));
    gap: calc(var(--unit) * 4);
  }

  .readings {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(128px, 1fr));
    gap: calc(var(--unit) * 3);
  }

  .stack {
    display: grid;
    gap: calc(var(--unit) * 3);
  }

  .line {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: calc(var(--unit) * 2) calc(var(--unit) * 3);
    padding-block-start: calc(var(--unit) * 3);
    border-block-start: 1px solid var(--line);
  }

  .line p {
    flex: 1 1 220px;
  }

  .pair > * {
    min-inline-size: 0;
  }

  mill-panel {
    block-size: 100%;
  }

  input[type="file"] {
    padding-block: calc(var(--unit) * 1.5);
  }

  mill-edge-strip {
    position: sticky;
    inset-block-end: 0;
    z-index: 2;
  }

  :host(mill-storage) {
    display: flex;
    flex-direction: column;
    min-block-size: 100%;
  }

  :host(mill-storage) .page {
    flex: 1;
  }

  @media (max-width: 960px) {
    .pair {
      grid-template-columns: minmax(0, 1fr);
    }
  }

  @media (max-width: 700px) {
    mill-edge-strip {
      inset-block-end: var(--bar-height, 0px);
    }
  }
`;
