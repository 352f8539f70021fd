/** Which number format each weight gets, by tier and provider. The reasons are measurements; see the table below. */
import type { BlockFormat, Provider, Storage, StoragePlan, Tier, WeightRole } from './types';

const F32: Storage = { kind: 'f32' };
const F16: Storage = { kind: 'f16' };

/**
 * @param activations what stands between the kernels: float32 is what the CPU computes in; on WebGPU float16 halves
 * the past's bytes, but not every GPU has it (see runtime's `computesHalves`)
 */
export function storagePlan(
  tier: Tier,
  provider: Provider,
  activations: 'f32' | 'f16' = provider === 'webgpu' && tier !== 'f32' ? 'f16' : 'f32',
): StoragePlan {
  const blocks = (bits: 4 | 8, columns: number, zeroPoints: boolean): Storage => ({
    kind: 'blocks',
    ...blockFormat(bits, columns, zeroPoints, activations),
  });
  const storage = (role: WeightRole, columns: number): Storage => {
    if (tier === 'f32') return F32;
    if (tier === 'f16') return F16;
    const bits =
      tier === 'q8' ? 8 : tier === 'q4' ? (role === 'embedding' ? 8 : 4) : role === 'temporal' ? 4 : 8;
    return blocks(bits, columns, bits === 4);
  };
  return { tier, provider, activations, storage };
}

/** Blocks of 32, or of what divides a narrow weight. */
function blockFormat(bits: 4 | 8, columns: number, zeroPoints: boolean, scales: 'f32' | 'f16'): BlockFormat {
  return { bits, blockSize: columns % 32 === 0 ? 32 : 16, zeroPoints, scales };
}
