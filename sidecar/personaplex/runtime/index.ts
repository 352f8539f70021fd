/** The model's graphs at run time: sessions, caches and the language model's two calls. */
export {
  LanguageModel,
  type Candidates,
  type Columns,
  type Draw,
  type Drawn,
  type LanguageModelFiles,
  type Outlook,
} from './language-model';
export { PagedCache, type CacheSnapshot } from './paged-cache';
export { openSession, type SessionOptions } from './session';
