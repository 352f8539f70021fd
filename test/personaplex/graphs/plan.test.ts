import { describe, expect, it } from 'vitest';
import { storagePlan } from '../../../sidecar/personaplex/graphs';

describe('storage plan', () => {
  const bits = (tier: 'q8' | 'mixed' | 'q4'): unknown =>
    (['late-ffn', 'temporal', 'text-head', 'depth', 'audio-head', 'embedding'] as const).map((role) => {
      const storage = storagePlan(tier, 'cpu').storage(role, 4096);
      return storage.kind === 'blocks' ? storage.bits : storage.kind;
    });

  it('gives four bits where they are harmless, or where they were asked for', () => {
    expect(bits('q8')).toEqual([8, 8, 8, 8, 8, 8]);
    expect(bits('mixed')).toEqual([4, 8, 8, 8, 8, 8]);
    expect(bits('q4')).toEqual([4, 4, 8, 8, 8, 8]);
  });

  it('spends zero points on 8 bits where nothing is to be lost, and where they cost little', () => {
    expect(storagePlan('q8', 'webgpu').storage('temporal', 4096)).toMatchObject({ zeroPoints: true });
    expect(storagePlan('mixed', 'webgpu').storage('temporal', 4096)).toMatchObject({ zeroPoints: false });
    expect(storagePlan('mixed', 'webgpu').storage('late-ffn', 4096)).toMatchObject({ zeroPoints: true });
    expect(storagePlan('mixed', 'cpu').storage('temporal', 4096)).toMatchObject({ zeroPoints: true });
  });

  it('lets activations be rounded on the CPU only, where small blocks of them share a step', () => {
    expect(storagePlan('q8', 'cpu').accuracy).toBe(4);
    expect(storagePlan('q8', 'webgpu').accuracy).toBe(0);
  });

  it('has larger blocks on the CPU, as far as the tier can afford, and those of the kernels on WebGPU', () => {
    const blocks = (tier: 'q8' | 'mixed' | 'q4', provider: 'cpu' | 'webgpu'): unknown =>
      (['late-ffn', 'temporal', 'depth'] as const).map((role) => {
        const storage = storagePlan(tier, provider).storage(role, 4096);
        return storage.kind === 'blocks' ? storage.blockSize : storage.kind;
      });
    expect(blocks('q8', 'cpu')).toEqual([64, 64, 64]);
    expect(blocks('mixed', 'cpu')).toEqual([64, 128, 128]);
    expect(blocks('q4', 'cpu')).toEqual([32, 32, 128]);
    for (const tier of ['q8', 'mixed', 'q4'] as const) expect(blocks(tier, 'webgpu')).toEqual([32, 32, 32]);
  });

  it('fits blocks to the width', () => {
    const { storage } = storagePlan('q4', 'cpu');
    expect(storage('depth', 2816)).toMatchObject({ blockSize: 128, zeroPoints: true });
    expect(storage('depth', 96)).toMatchObject({ blockSize: 32, zeroPoints: false });
    expect(storage('temporal', 48)).toMatchObject({ blockSize: 16, zeroPoints: true });
    expect(storage('temporal', 88)).toEqual({ kind: 'f16' });
  });

  it('computes in float32 on the CPU, and in float16 on a GPU that can', () => {
    expect(storagePlan('q8', 'cpu').activations).toBe('f32');
    expect(storagePlan('q8', 'webgpu').activations).toBe('f16');
    expect(storagePlan('f32', 'webgpu').activations).toBe('f32');
    expect(storagePlan('q8', 'webgpu', 'f32').storage('temporal', 64)).toMatchObject({ scales: 'f32' });
    expect(storagePlan('q8', 'webgpu').storage('temporal', 64)).toMatchObject({ scales: 'f16' });
  });
});
