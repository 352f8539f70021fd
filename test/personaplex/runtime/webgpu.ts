/** Whether WebGPU runs here: on a real GPU, or on the software one of Debian's chromium package. */
import { existsSync, mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { GraphBuilder, modelBytes, ops } from '../../../sidecar/personaplex/onnx';
import { openSession } from '../../../sidecar/personaplex/runtime';

const SOFTWARE_DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Points Vulkan at the software driver unless it was pointed elsewhere; says so and returns false where nothing runs. */
export async function webgpuRuns(): Promise<boolean> {
  if (!process.env.VK_ICD_FILENAMES && existsSync(SOFTWARE_DRIVER))
    process.env.VK_ICD_FILENAMES = SOFTWARE_DRIVER;
  if (!process.env.XDG_RUNTIME_DIR) {
    const runtime = path.join(os.tmpdir(), 'npc-voice-xdg');
    mkdirSync(runtime, { recursive: true, mode: 0o700 });
    process.env.XDG_RUNTIME_DIR = runtime;
  }
  const graph = new GraphBuilder('probe');
  const x = graph.input('x', 'f32', [2]);
  graph.output('y', ops.add(x, x));
  try {
    const session = await openSession(await modelBytes(graph), { provider: 'webgpu', cpuFallback: false });
    await session.release();
    return true;
  } catch (error) {
    console.warn(`WebGPU tests are skipped: ${(error as Error).message.split('\n')[0]}`);
    return false;
  }
}
