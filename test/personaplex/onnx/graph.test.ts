import { describe, expect, it } from 'vitest';
import { contrib, GraphBuilder, ops } from '../../../sidecar/personaplex/onnx';
import { addDims, broadcastShapes, reshapeOperand } from '../../../sidecar/personaplex/onnx/shape';

describe('shapes', () => {
  it('adds sizes and names to one canonical sum', () => {
    expect(addDims(2, 3)).toBe(5);
    expect(addDims('past', 'steps')).toBe(addDims('steps', 'past'));
    expect(addDims(addDims('past', 2), addDims('steps', 3))).toBe('past+steps+5');
    expect(addDims(0, 'past')).toBe('past');
  });

  it('broadcasts as NumPy does', () => {
    expect(broadcastShapes(['batch', 1, 4], [3, 1])).toEqual(['batch', 3, 4]);
    expect(() => broadcastShapes([2, 3], [2])).toThrow('[2, 3] and [2] do not broadcast: 3 against 2');
  });

  it('writes reshapes with sizes kept by 0 and one moved name by -1', () => {
    expect(reshapeOperand(['batch', 'steps', 12], ['batch', 'steps', 3, 4])).toEqual([0, 0, 3, 4]);
    expect(reshapeOperand([3, 'n', 4], [12, 'n'])).toEqual([12, 0]);
    expect(reshapeOperand(['n', 6], [6, 'n'])).toEqual([6, -1]);
    expect(() => reshapeOperand(['n', 6], ['n', 5])).toThrow('cannot be reshaped');
    expect(() => reshapeOperand(['a', 'b'], ['b', 'a'])).toThrow('moves two names');
  });
});

describe('graph builder', () => {
  it('infers what operators make', () => {
    const graph = new GraphBuilder('g');
    const x = graph.input('x', 'f32', ['batch', 4, 6]);
    const w = graph.input('w', 'f32', [6, 8]);
    expect(ops.matmul(x, w).shape).toEqual(['batch', 4, 8]);
    expect(ops.split(x, 2, [2, 4]).map((piece) => piece.shape)).toEqual([
      ['batch', 4, 2],
      ['batch', 4, 4],
    ]);
    expect(ops.concat([x, x], 0).shape).toEqual(['batch+batch', 4, 6]);
    expect(ops.slice(x, 1, -1).shape).toEqual(['batch', 1, 6]);
    expect(ops.transpose(x, [2, 0, 1]).shape).toEqual([6, 'batch', 4]);
    expect(ops.argMax(x)).toMatchObject({ type: 'i64', shape: ['batch', 4, 1] });
    expect(ops.less(w, w).type).toBe('bool');
  });

  it('refuses what would not run, saying where', () => {
    const graph = new GraphBuilder('g');
    const x = graph.input('x', 'f32', [2, 3]);
    const build = (): unknown => graph.scope('layer7', () => ops.matmul(x, x));
    expect(build).toThrow('Graph g/layer7: MatMul: [2, 3] times [2, 3].');
    expect(() => ops.add(x, graph.input('n', 'i64', [3]))).toThrow('Add of f32 and i64');
    expect(() => ops.split(x, 1, [1, 1])).toThrow('into 1+1');
    expect(() => ops.slice(x, 1, 2, 5)).toThrow('Slice 2..5 of [2, 3]');
    expect(() => contrib.multiHeadAttention(x, x, x, null, 2)).toThrow('MultiHeadAttention');
  });

  it('does not mix graphs', () => {
    const [a, b] = [new GraphBuilder('a'), new GraphBuilder('b')];
    expect(() => ops.add(a.input('x', 'f32', [1]), b.input('y', 'f32', [1]))).toThrow(
      'a value of another graph, y',
    );
  });

  it('keeps equal constants once, and names apart', () => {
    const graph = new GraphBuilder('g');
    const [one, again, other] = [
      [1, 2],
      [1, 2],
      [1, 3],
    ].map((values) => graph.constant('i64', [2], values));
    expect(again).toBe(one);
    expect(other).not.toBe(one);
    const x = graph.input('x', 'f32', [1]);
    const names = [ops.add(x, x), ops.add(x, x)].map((value) => value.name);
    expect(new Set(names).size).toBe(2);
  });

  it('does not change a node when its list of inputs changes later', () => {
    const graph = new GraphBuilder('g');
    const x = graph.input('x', 'f32', [1]);
    const growing = [x, x];
    ops.concat(growing, 0);
    growing.push(x);
    expect(graph.nodes[0]!.inputs).toHaveLength(2);
  });

  it('makes an output of a computed value only, and once', () => {
    const graph = new GraphBuilder('g');
    const x = graph.input('x', 'f32', [1]);
    expect(() => graph.output('y', x)).toThrow('cannot be the output y');
    const sum = ops.add(x, x);
    graph.output('y', sum);
    expect(sum.name).toBe('y');
    expect(() => graph.output('z', sum)).toThrow('cannot be the output z');
  });
});
