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
 *
 * Asked for the same on WebGPU, MatMulNBits gives 128 activations one step where there are several columns, which more
 * than doubles the error of 8-bit weights (SwiftShader: cosine 0.9994, and 0.9998 without); it is not asked for.
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
    return { kind: 'blocks', ...blockFormat(tier, bits, columns, activations) };
  };
  return { tier, provider, activations, accuracy: provider === 'cpu' ? 4 : 0, storage };
}

/**
 * Hidden vectors after 32 layers beside float32's, as the median cosine over 8 random networks with outlier channels
 * (512 wide, 48 columns each, CPU; `npm run bench -- tiers` prints the like), channels balanced (import/balance.ts):
 *
 *   8 bits throughout                                     0.99929   (0.99839 unbalanced)
 *   with zero points                                      0.99946   (0.99972 without rounding activations)
 *   4 bits in the last quarter's feed-forward blocks      0.9984
 *   in the last half's                                    0.9970
 *   and in the last half's attention outputs              0.9965
 *   4 bits in every temporal matrix                       0.965     (0.936 unbalanced)
 *
 * So four bits are harmless only late, where few layers are left to carry an error on: `mixed`. `q4` is for cards that
 * hold nothing larger; the depth transformer and the heads would save little more and stay at eight.
 */
function bitsOf(tier: Tier, role: WeightRole): 4 | 8 | null {
  if (tier === 'q8') return 8;
  if (tier === 'mixed') return role === 'late-ffn' ? 4 : 8;
  if (tier === 'q4') return role === 'temporal' || role === 'late-ffn' ? 4 : 8;
  return null;
}

/**
 * Sixteen levels need their zero where the block's values lie. Of 256, half of them on either side of it nearly suffice:
 * the quarter of a bit is spent where nothing is to be lost.
 */
function blockFormat(tier: Tier, bits: 4 | 8, columns: number, scales: 'f32' | 'f16'): BlockFormat {
  const blockSize = columns % BLOCK === 0 ? BLOCK : SMALL_BLOCK;
  return { bits, blockSize, zeroPoints: bits === 4 || tier === 'q8', scales };
}
