/** Token ids inside a graph. ONNX's TopK and ArgMax give 64-bit integers, which WebGPU can gather with but not compute. */
import { ops, type Value } from '../onnx';

/** i64 indices below `count` as floats, in which every id is exact. */
export function idsAsFloats(indices: Value, count: number): Value {
  const counting = indices.graph.constant(
    'f32',
    [count],
    Array.from({ length: count }, (_, i) => i),
  );
  return ops.gatherRows(counting, indices);
}
