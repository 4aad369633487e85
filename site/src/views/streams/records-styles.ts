/** Layout of the records view: the list beside the record that is looked at, which is a sheet on a phone. */
import { css } from "lit";

/** Rules of the records view. */
export const recordsStyles = css`
  :host {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: calc(var(--unit) * 4);
  }

  .controls {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: calc(var(--unit) * 2);
    margin-block-start: calc(var(--unit) * 3);
  }

  .controls button {
    min-block-size: 36px;
  }

  .filter {
    flex: 1 1 240px;
  }

  .controls .filter input {
    margin: 0;
  }

  div.main {
    display: grid;
    grid-template-columns: minmax(0, 1fr) minmax(280px, 400px);
    gap: calc(var(--unit) * 4);
    align-items: start;
  }

  .right {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: calc(var(--unit) * 4);
  }

  .inspector,
  .put {
    min-inline-size: 0;
    padding: calc(var(--unit) * 4);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--panel);
  }

  .status {
    display: flex;
    flex-wrap: wrap;
    justify-content: space-between;
    gap: 0 calc(var(--unit) * 4);
    min-block-size: 1.5em;
    margin-block-end: calc(var(--unit) * 2);
  }

  a {
    color: var(--water);
  }

  @media (max-width: 960px) {
    div.main {
      grid-template-columns: minmax(0, 1fr);
    }
  }

  @media (max-width: 700px) {
    .inspector:not(.filled) {
      display: none;
    }

    .inspector.filled {
      position: fixed;
      inset: auto 0 var(--bar-height, 0px) 0;
      z-index: 3;
      max-block-size: 68dvh;
      overflow: auto;
      border-inline: 0;
      border-radius: var(--radius) var(--radius) 0 0;
      background: var(--raised);
      box-shadow: var(--shadow);
    }
  }
`;
