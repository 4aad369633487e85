/** What kinesalite gives, which has no types of its own. */
declare module "kinesalite" {
  import type { Server } from "node:http";

  const kinesalite: (options: {
    readonly createStreamMs: number;
    readonly deleteStreamMs: number;
    readonly updateStreamMs: number;
    readonly shardLimit: number;
  }) => Server;
  export default kinesalite;
}
