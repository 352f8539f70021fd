/** Whether this machine's GPU computes in float16; most do, but WebGPU does not promise it. */
import { Tensor } from 'onnxruntime-node';
import { GraphBuilder, modelBytes, ops } from '../onnx';
import { openSession } from './session';

/** @throws NpcVoiceError `model_unavailable` when WebGPU does not run here at all */
export async function computesHalves(): Promise<boolean> {
  const graph = new GraphBuilder('halves');
  graph.output('y', ops.cast(ops.cast(graph.input('x', 'f32', [1]), 'f16'), 'f32'));
  const session = await openSession(await modelBytes(graph), {
    provider: 'webgpu',
    cpuFallback: false,
    quiet: true,
  });
  try {
    await session.run({ x: new Tensor('float32', Float32Array.of(1), [1]) });
    return true;
  } catch {
    return false;
  } finally {
    await session.release();
  }
}
