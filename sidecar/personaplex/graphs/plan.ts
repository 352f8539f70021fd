/**
 * Which number format each weight gets, by tier and provider.
 *
 * Measured on the CPU (two cores with AVX-512 VNNI, a pure read of memory running at 32 GB/s; one row times 11264 x
 * 4096, each weight read from memory; bytes with scales and zero points, as a multiple of reading them alone):
 *
 *   MatMulNBits 8 bits, blocks of 32 / 64 / 128   1.84 / 1.68 / 1.55 ms   1.10 / 1.07 / 1.03
 *   MatMulNBits 4 bits, blocks of 32 / 64 / 128   1.12 / 0.96 / 0.84 ms   1.21 / 1.16 / 1.09
 *   DynamicQuantizeMatMul, 8 bits                 1.60 ms                 1.10, one range for a whole activation
 *
 * So there large blocks are faster by more than the bytes they save. MatMulNBits rounds activations to 8 bits block by
 * block, where DynamicQuantizeMatMul lets one outlier set the step for all. There is no float16 kernel: the f16 tier is
 * widened when it is loaded and runs as float32 does.
 *
 * On WebGPU the kernels are made for blocks of 32. Asked to round activations there, MatMulNBits gives 128 of them one
 * step where there are several columns, which more than doubles the error of 8-bit weights (SwiftShader: cosine 0.9994,
 * and 0.9998 without); it is not asked.
 */
import type { BlockFormat, Provider, Storage, StoragePlan, Tier, WeightRole } from './types';

type BlockTier = Exclude<Tier, 'f32' | 'f16'>;

/** Values that share a scale, by bits. */
type BlockSizes = Readonly<Record<4 | 8, number>>;

/**
 * The largest that keep the tier's cosines (below): what 4 bits lose hides what blocks of 128 with 8 bits lose, and in
 * all temporal matrices nothing is to spare.
 */
const CPU_BLOCKS: Readonly<Record<BlockTier, BlockSizes>> = {
  q8: { 8: 64, 4: 64 },
  mixed: { 8: 128, 4: 64 },
  q4: { 8: 128, 4: 32 },
};
const WEBGPU_BLOCKS: BlockSizes = { 8: 32, 4: 32 };
/** The kernels' least. */
const SMALLEST_BLOCK = 16;

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
    if (tier === 'f32' || tier === 'f16') return { kind: tier };
    const bits = bitsOf(tier, role);
    const blockSize = fitting((provider === 'cpu' ? CPU_BLOCKS[tier] : WEBGPU_BLOCKS)[bits], columns);
    if (blockSize < SMALLEST_BLOCK) return { kind: 'f16' };
    // Sixteen levels need their zero where the block's values lie. Of 256, half of them on either side of it nearly
    // suffice: eight bits have zero points where nothing is to be lost, or where blocks are large and they cost little.
    const zeroPoints = bits === 4 || tier === 'q8' || blockSize > 32;
    const format: BlockFormat = { bits, blockSize, zeroPoints, scales: activations };
    return { kind: 'blocks', ...format };
  };
  return { tier, provider, activations, accuracy: provider === 'cpu' ? 4 : 0, storage };
}

/** The block size, halved until it divides the width. */
function fitting(blockSize: number, columns: number): number {
  return columns % blockSize === 0 ? blockSize : fitting(blockSize / 2, columns);
}

/**
 * Hidden vectors after 32 layers beside float32's, as the median cosine over 8 random networks with outlier channels
 * (512 wide, 32 columns each, CPU; `npm run bench -- tiers` prints the like), channels balanced (import/balance.ts):
 *
 *   8 bits throughout, blocks of 32                       0.99929   (0.99839 unbalanced)
 *   with zero points                                      0.99947   (0.99972 without rounding activations)
 *   in blocks of 64 / 128                                 0.99911 / 0.99886
 *   4 bits in the last quarter's feed-forward blocks      0.9984
 *   in the last half's                                    0.9969
 *   the other 8 bits in blocks of 128                     0.9965
 *   and the 4 bits in blocks of 64                        0.9953
 *   4 bits in every temporal matrix                       0.966     (0.936 unbalanced)
 *   the other 8 bits in blocks of 128                     0.966
 *   and the 4 bits in blocks of 64                        0.949
 *
 * So four bits are harmless only late, where few layers are left to carry an error on: `mixed`. `q4` is for cards that
 * hold nothing larger; the depth transformer and the heads would save little more and stay at eight.
 */
function bitsOf(tier: BlockTier, role: WeightRole): 4 | 8 {
  if (tier === 'mixed') return role === 'late-ffn' ? 4 : 8;
  if (tier === 'q4') return role === 'temporal' || role === 'late-ffn' ? 4 : 8;
  return 8;
}
