/** The model's graphs at run time: sessions, caches and the language model's two calls. */
export { computesHalves } from './halves';
export {
  LanguageModel,
  type Candidates,
  type Columns,
  type Draw,
  type Drawn,
  type LanguageModelFiles,
  type Outlook,
} from './language-model';
export { MimiDecoder, MimiEncoder, openMimi, type EncodedFrames } from './mimi';
export type { CacheSnapshot, KvCache } from './cache';
export { openSession, type SessionOptions } from './session';
export { useSoftwareGpu } from './software-gpu';
