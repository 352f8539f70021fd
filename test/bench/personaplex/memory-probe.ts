import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { GraphBuilder, modelBytes } from '../../../sidecar/personaplex/onnx';
import { openSession } from '../../../sidecar/personaplex/runtime';
import { timed } from './model';

/**
 * How fast this machine reads memory with all cores: the largest of half a gigabyte of floats. The fastest plain read
 * that ONNX Runtime can be asked for, and still no upper bound: its 8-bit kernel has been seen to beat it slightly.
 */
export class MemoryProbe {
  static readonly #rows = 8;
  static readonly #columns = 2 ** 24;
  readonly #session: InferenceSession;
  readonly #data: Tensor;

  private constructor(session: InferenceSession) {
    this.#session = session;
    const shape = [MemoryProbe.#rows, MemoryProbe.#columns];
    this.#data = new Tensor('float32', new Float32Array(shape[0]! * shape[1]!).fill(1), shape);
  }

  static async open(): Promise<MemoryProbe> {
    const graph = new GraphBuilder('bandwidth');
    const x = graph.input('x', 'f32', [MemoryProbe.#rows, MemoryProbe.#columns]);
    const axis = graph.constant('i64', [1], [1]);
    const [largest] = graph.node('ReduceMax', [x, axis], [{ type: 'f32', shape: [MemoryProbe.#rows, 1] }]);
    graph.output('largest', largest!);
    return new MemoryProbe(await openSession(await modelBytes(graph), { provider: 'cpu' }));
  }

  /** GB/s now. */
  async run(): Promise<number> {
    const time = await timed(() => this.#session.run({ x: this.#data }));
    return (MemoryProbe.#rows * MemoryProbe.#columns * 4) / 1e6 / time;
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}
