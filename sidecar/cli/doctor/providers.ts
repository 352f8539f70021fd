import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { listSupportedBackends } from 'onnxruntime-node';
import { distFile } from '../../paths';
import type { Finding } from './report';

const TIMEOUT_MS = 20_000;
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
  return Promise.all(names.map(probe));
}

async function probe(name: string): Promise<Finding> {
  const what = about[name] ?? name;
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [distFile('workers', 'probe.js'), name], {
      timeout: TIMEOUT_MS,
    });
    const { ok, says } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { ok: boolean; says: string };
    if (ok) return { what, state: 'ok', says };
    return { what, state: name === 'cpu' ? 'bad' : 'note', says: firstSentence(says), ...todo(name) };
  } catch (thrown) {
    const died = thrown as { signal?: string; killed?: boolean };
    const says = died.killed
      ? `gave no answer in ${TIMEOUT_MS / 1000} s`
      : `took its process down (${died.signal ?? 'no signal'})`;
    return { what, state: name === 'cpu' ? 'bad' : 'note', says, ...todo(name) };
  }
}

/** ONNX Runtime puts the place in its source and the failed condition before what a person can use. */
const firstSentence = (text: string): string =>
  text
    .split('\n')[0]!
    .replace(/^.* was false\. /, '')
    .slice(0, 160);

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
