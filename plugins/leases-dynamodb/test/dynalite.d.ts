/** What dynalite gives, which has no types of its own. */
declare module "dynalite" {
  import type { Server } from "node:http";

  const dynalite: (options: {
    readonly createTableMs: number;
    readonly deleteTableMs: number;
    readonly updateTableMs: number;
  }) => Server;
  export default dynalite;
}
