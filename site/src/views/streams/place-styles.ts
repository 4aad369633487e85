/** Layout that the views of the Streams place share. */
import { css } from "lit";

/** Rules of a page with a header, its actions, and panels. */
export const placeStyles = css`
  .page {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    align-content: start;
    gap: calc(var(--unit) * 4);
    inline-size: 100%;
    max-inline-size: 1440px;
    margin-inline: auto;
    padding: calc(var(--unit) * 5) calc(var(--unit) * 6) calc(var(--unit) * 6);
  }

  .page > * {
    min-inline-size: 0;
  }

  header.head {
    display: flex;
    flex-wrap: wrap;
    align-items: flex-end;
    justify-content: space-between;
    gap: calc(var(--unit) * 3);
  }

  h1 {
    display: flex;
    align-items: center;
    gap: calc(var(--unit) * 2);
    font-size: var(--text-title);
    font-weight: 650;
    line-height: 1.3;
    overflow-wrap: anywhere;
  }

  .actions {
    display: flex;
    flex-wrap: wrap;
    gap: calc(var(--unit) * 2);
  }

  a {
    color: var(--water);
    text-underline-offset: 3px;
  }

  .answer {
    min-block-size: 1.5em;
    overflow-wrap: anywhere;
  }

  @media (max-width: 700px) {
    .page {
      padding: calc(var(--unit) * 4) calc(var(--unit) * 3);
      gap: calc(var(--unit) * 3);
    }
  }
`;
