import { listSupportedBackends } from 'onnxruntime-node';
import { probe } from '../probe';
import type { Finding } from './report';

const about: Record<string, string> = {
  cpu: 'CPU',
  webgpu: 'WebGPU',
  cuda: 'CUDA',
  dml: 'DirectML',
  coreml: 'CoreML',
};

/** Runs one small graph on every execution provider that this build of ONNX Runtime carries. */
export async function inspectProviders(): Promise<Finding[]> {
  const names = listSupportedBackends()
    .filter((backend) => backend.bundled)
    .map((backend) => backend.name);
  return Promise.all(names.map(inspect));
}

async function inspect(name: string): Promise<Finding> {
  const { ok, says } = await probe(name);
  const what = about[name] ?? name;
  return ok
    ? { what, state: 'ok', says }
    : { what, state: name === 'cpu' ? 'bad' : 'note', says, ...todo(name) };
}

function todo(name: string): { todo?: string } {
  if (name === 'cpu') return { todo: 'Reinstall onnxruntime-node; the understudy hears with it.' };
  if (name === 'webgpu')
    return {
      todo:
        process.platform === 'linux'
          ? 'For PersonaPlex on the GPU install a Vulkan driver and libvulkan1. The understudy needs none.'
          : 'For PersonaPlex on the GPU update the graphics driver. The understudy needs none.',
    };
  return {};
}
