/** Checkpoints as they are published: lazy reading, and the layouts of the language model and the codec. */
export type { DroppedTensor, Shape } from './compare';
export { dtypeBytes, firstNonFinite, floatToHalf, halfToFloat, widenToFloat32, type Dtype } from './dtype';
export {
  AUDIO_STREAMS,
  lmLayout,
  planLanguageModel,
  type CanonicalTensor,
  type LmHints,
  type LmPlan,
  type TensorPart,
} from './language-model';
export { CODEBOOKS, mimiLayout, planMimi, type MimiDimensions, type MimiHints, type MimiPlan } from './mimi';
export {
  elementCount,
  headerLength,
  parseHeader,
  readExactly,
  readTensors,
  SafetensorsFile,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors';
