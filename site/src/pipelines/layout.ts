/** Where the nodes of a pipeline's graph stand: streams and stages in ranks, from the sources on. */
import type { PipelineDescription } from "millrace";

/** A stream or a stage. */
export interface GraphNode {
  readonly id: string;
  readonly kind: "stream" | "stage";
  readonly name: string;
  /** Steps from the sources, by the longest way. */
  readonly rank: number;
  /** Place in its rank; ranks with fewer nodes stand in the middle, so this may be a fraction. */
  readonly row: number;
}

/** A line from a stream to a stage, or from a stage to a stream. */
export interface GraphLink {
  readonly from: GraphNode;
  readonly to: GraphNode;
  /** The stage that it belongs to. */
  readonly stage: string;
}

/** The graph with its places. */
export interface GraphLayout {
  readonly nodes: readonly GraphNode[];
  readonly links: readonly GraphLink[];
  readonly ranks: number;
  /** Nodes in the fullest rank. */
  readonly rows: number;
}

const streamId = (name: string): string => `stream ${name}`;
const stageId = (name: string): string => `stage ${name}`;

type Shape = Pick<PipelineDescription, "nodes" | "edges">;

/** Rank of every stream by its name; a pipeline never leads back. */
function streamRanks({ nodes, edges }: Shape): Map<string, number> {
  const ranks = new Map<string, number>();
  const rankOf = (name: string): number => {
    const known = ranks.get(name);
    if (known !== undefined) return known;
    const before = edges.filter(({ to }) => to === name).map(({ from }) => rankOf(from));
    const rank = before.length === 0 ? 0 : Math.max(...before) + 2;
    ranks.set(name, rank);
    return rank;
  };
  for (const { streamName } of nodes) rankOf(streamName);
  return ranks;
}

/** Places the nodes so that lines cross little: each rank in the order of what comes before it. */
export function layoutOf(shape: Shape): GraphLayout {
  const ranks = streamRanks(shape);
  const { nodes, edges } = shape;
  const streams = nodes.map(({ streamName: name }) => ({
    ...{ id: streamId(name), kind: "stream" as const, name, rank: ranks.get(name) ?? 0 },
    before: edges.filter(({ to }) => to === name).map(({ stage }) => stageId(stage)),
  }));
  const stages = edges.map(({ stage: name, from }) => ({
    ...{ id: stageId(name), kind: "stage" as const, name, rank: (ranks.get(from) ?? 0) + 1 },
    before: [streamId(from)],
  }));
  const all = [...streams, ...stages];
  const placed = new Map<string, GraphNode>();
  const rankCount = Math.max(0, ...all.map(({ rank }) => rank + 1));
  const rows = Math.max(
    0,
    ...Array.from(
      { length: rankCount },
      (_, rank) => all.filter((one) => one.rank === rank).length,
    ),
  );
  for (let rank = 0; rank < rankCount; rank += 1) {
    const here = all
      .filter((one) => one.rank === rank)
      .map(({ before, ...node }) => ({ node, pull: meanRow(before, placed) }))
      .sort((one, other) => one.pull - other.pull);
    const first = (rows - here.length) / 2;
    for (const [i, { node }] of here.entries()) placed.set(node.id, { ...node, row: first + i });
  }
  const links = edges.flatMap(({ stage, from, to }) => [
    ...linkOf(placed, streamId(from), stageId(stage), stage),
    ...linkOf(placed, stageId(stage), streamId(to), stage),
  ]);
  return { nodes: [...placed.values()], links, ranks: rankCount, rows };
}

function meanRow(ids: readonly string[], placed: ReadonlyMap<string, GraphNode>): number {
  const rows = ids.flatMap((id) => placed.get(id)?.row ?? []);
  return rows.length === 0 ? 0 : rows.reduce((sum, row) => sum + row, 0) / rows.length;
}

function linkOf(
  placed: ReadonlyMap<string, GraphNode>,
  fromId: string,
  toId: string,
  stage: string,
): GraphLink[] {
  const [from, to] = [placed.get(fromId), placed.get(toId)];
  return from === undefined || to === undefined ? [] : [{ from, to, stage }];
}
