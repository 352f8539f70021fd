/**
 * Which number format each weight gets, by tier and provider.
 *
 * Measured on the CPU (two cores with AVX-512 VNNI, one row times 14336 x 4096, each weight read from memory; bytes
 * with scales and zero points):
 *
 *   MatMulNBits 4 bits, blocks of 32 / 64 / 128   1.96 / 1.85 / 1.57 ms   38 / 33 / 31 MB
 *   MatMulNBits 8 bits, blocks of 32 / 128        2.70 / 2.23 ms          66 / 61 MB
 *   DynamicQuantizeMatMul, 8 bits                 2.84 ms                 59 MB, one range for a whole activation
 *   MatMul, float32                              15.9 ms                 235 MB
 *
 * So MatMulNBits runs near memory's speed with either width, and small blocks, which lose least, cost little. It rounds
 * activations to 8 bits block by block, where DynamicQuantizeMatMul lets one outlier set the step for all. There is no
 * float16 kernel: the f16 tier is widened when it is loaded and runs as float32 does.
 */
import type { BlockFormat, Provider, Storage, StoragePlan, Tier, WeightRole } from './types';

const BLOCK = 32;
/** For widths that 32 does not divide. */
const SMALL_BLOCK = 16;

/**
 * @param activations what stands between the kernels: float32 is what the CPU computes in; on WebGPU float16 halves
 * the past's bytes, but not every GPU has it (see runtime's `computesHalves`)
 */
export function storagePlan(
  tier: Tier,
  provider: Provider,
  activations: 'f32' | 'f16' = provider === 'webgpu' && tier !== 'f32' ? 'f16' : 'f32',
): StoragePlan {
  const storage = (role: WeightRole, columns: number): Storage => {
    if (tier === 'f32') return { kind: 'f32' };
    const bits = bitsOf(tier, role);
    if (bits === null || columns % SMALL_BLOCK !== 0) return { kind: 'f16' };
    return { kind: 'blocks', ...blockFormat(bits, columns, activations) };
  };
  return { tier, provider, activations, storage };
}

/**
 * Hidden vectors after 32 layers, as cosines with float32's, on random networks with outlier channels (512 and 1024
 * wide, 24 columns, CPU; of the full size 8.2, 7.3 and 5.8 GB):
 *
 *   8 bits throughout                                     0.9986   (0.9992 without rounding activations)
 *   4 bits in the last quarter's feed-forward blocks      0.9956
 *   4 bits in every feed-forward block                    0.964
 *   4 bits in every temporal matrix                       0.950
 *   4 bits in depth transformer and heads besides         0.950, but 0.947 instead of 0.950 in the logits
 *
 * So four bits are harmless only late, where no layer is left to carry an error on: `mixed`. `q4` is for cards that
 * hold nothing larger; the depth transformer and the heads would save little more and stay at eight.
 */
function bitsOf(tier: Tier, role: WeightRole): 4 | 8 | null {
  if (tier === 'q8') return 8;
  if (tier === 'mixed') return role === 'late-ffn' ? 4 : 8;
  if (tier === 'q4') return role === 'temporal' || role === 'late-ffn' ? 4 : 8;
  return null;
}

/** Sixteen levels need their zero where the block's values lie; of 256, half of them suffice on either side of it. */
function blockFormat(bits: 4 | 8, columns: number, scales: 'f32' | 'f16'): BlockFormat {
  return { bits, blockSize: columns % BLOCK === 0 ? BLOCK : SMALL_BLOCK, zeroPoints: bits === 4, scales };
}
