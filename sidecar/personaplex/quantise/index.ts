/** Weights in fewer bits. */
export {
  addLikeness,
  BlockQuantiser,
  cosineOf,
  dequantiseBlocks,
  noLikeness,
  quantiseBlocks,
  zeroPointBytes,
  type Likeness,
} from './blocks';
