import { InferenceSession } from 'onnxruntime-node';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openSession } from '../../../sidecar/personaplex/runtime';

afterEach(() => void vi.restoreAllMocks());

describe('a graph that cannot be loaded', () => {
  it.each([
    ['webgpu', 'the GPU (WebGPU)', 'Check the graphics driver with `npc-voice doctor`, or install or import the model again with --provider cpu.'],
    ['cpu', 'the CPU', 'Check the model files with `npc-voice model verify`.'],
  ] as const)('on %s is told in one line, with what to do', async (provider, where, hint) => {
    vi.spyOn(InferenceSession, 'create').mockRejectedValue(new Error(
        '/src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 Initialize() status == Success was false. Failed to get a WebGPU adapter: No supported adapters.\n',
      ));
    await expect(openSession('temporal.onnx', { provider })).rejects.toMatchObject({
      code: 'model_unavailable',
      message: `A model graph could not be loaded on ${where}: Failed to get a WebGPU adapter: No supported adapters.`,
      hint,
    });
  }); // prettier-ignore
});
