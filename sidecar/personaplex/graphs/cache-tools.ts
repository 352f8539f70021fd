/** Small graphs that move a device's cache about; the host cannot touch it itself. */
import { contrib, GraphBuilder, ops, type DataType, type Dim, type Value } from '../onnx';

/** A cache is [seats, heads, rows, size]. */
export interface CacheTools {
  /** `shape` i64 [n] -> `zeros`, a tensor of any shape. */
  zeros: GraphBuilder;
  /** `cache`, `kept` i64 [1], `added` i64 [4] (a shape) -> `grown`: the first rows kept, then zeros. */
  grow: GraphBuilder;
  /** `cache`, `from` i64 [n] -> `picked` [n, heads, rows, size]: those seats, in that order. */
  pick: GraphBuilder;
  /** `cache`, `from` and `to` i64 [2] (seat, row) -> `taken`. */
  take: GraphBuilder;
  /** `cache`, `slots` i64 [1, heads, n, 3], `rows` [1, heads, n, size] -> `cache_out`, written in place. */
  put: GraphBuilder;
  /** Attention of the temporal graph alone, to try it: `query`, `key`, `value` -> `context` f32. */
  attend: GraphBuilder;
}

export function buildCacheTools(heads: number, size: number, type: 'f32' | 'f16'): CacheTools {
  const cacheInput = (graph: GraphBuilder): Value =>
    graph.input('cache', type, ['seats', heads, 'rows', size]);
  return {
    zeros: tool('zeros', (graph) => {
      graph.output('zeros', expandZeros(graph, type, graph.input('shape', 'i64', [4]), ['a', 'b', 'c', 'd']));
    }),
    grow: tool('grow', (graph) => {
      const cache = cacheInput(graph);
      const kept = sliceBy(
        cache,
        graph.constant('i64', [1], [0]),
        graph.input('kept', 'i64', [1]),
        [2],
        ['seats', heads, 'kept', size],
      );
      const added = expandZeros(graph, type, graph.input('added', 'i64', [4]), [
        'seats',
        heads,
        'added',
        size,
      ]);
      graph.output('grown', ops.concat([kept, added], 2));
    }),
    pick: tool('pick', (graph) => {
      graph.output('picked', ops.gatherRows(cacheInput(graph), graph.input('from', 'i64', ['n'])));
    }),
    take: tool('take', (graph) => {
      const [from, to] = [graph.input('from', 'i64', [2]), graph.input('to', 'i64', [2])];
      graph.output('taken', sliceBy(cacheInput(graph), from, to, [0, 2], [1, heads, 'n', size]));
    }),
    put: tool('put', (graph) => {
      const slots = graph.input('slots', 'i64', [1, heads, 'n', 3]);
      graph.output(
        'cache_out',
        ops.scatterND(cacheInput(graph), slots, graph.input('rows_in', type, [1, heads, 'n', size])),
      );
    }),
    attend: tool('attend', (graph) => {
      const input = (name: string): Value =>
        ops.cast(graph.input(name, 'f32', [1, 'steps', heads * size]), type);
      const past = (name: string): Value => graph.input(name, type, [1, heads, 'rows', size]);
      const { context } = contrib.groupQueryAttention(
        { query: input('query'), key: input('key'), value: input('value') },
        { key: past('past_key'), value: past('past_value') },
        graph.input('last_row', 'i32', [1]),
        graph.input('total_rows', 'i32', [1]),
        heads,
        -1,
      );
      graph.output('context', ops.cast(context, 'f32'));
    }),
  };
}

function tool(name: string, build: (graph: GraphBuilder) => void): GraphBuilder {
  const graph = new GraphBuilder(`cache-${name}`);
  build(graph);
  return graph;
}

function expandZeros(graph: GraphBuilder, type: DataType, shape: Value, dims: readonly Dim[]): Value {
  return graph.node('Expand', [graph.constant(type, [1], [0]), shape], [{ type, shape: dims }])[0]!;
}

/** Rows [from, to) of several axes, both known when the graph is run. */
function sliceBy(x: Value, from: Value, to: Value, axes: readonly number[], dims: readonly Dim[]): Value {
  const at = x.graph.constant('i64', [axes.length], axes);
  return x.graph.node('Slice', [x, from, to, at], [{ type: x.type, shape: dims }])[0]!;
}
