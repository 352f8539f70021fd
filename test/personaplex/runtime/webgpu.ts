/** Whether WebGPU runs here: on a real GPU, or on the software one of Debian's chromium package. */
import { GraphBuilder, modelBytes, ops } from '../../../sidecar/personaplex/onnx';
import { openSession, useSoftwareGpu } from '../../../sidecar/personaplex/runtime';

/** Says so and returns false where nothing runs. */
export async function webgpuRuns(): Promise<boolean> {
  useSoftwareGpu();
  const graph = new GraphBuilder('probe');
  const x = graph.input('x', 'f32', [2]);
  graph.output('y', ops.add(x, x));
  try {
    const session = await openSession(await modelBytes(graph), {
      provider: 'webgpu',
      cpuFallback: false,
      quiet: true,
    });
    await session.release();
    return true;
  } catch (error) {
    console.warn(`WebGPU tests are skipped: ${(error as Error).message.split('\n')[0]}`);
    return false;
  }
}
