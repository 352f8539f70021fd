/** The model's four graphs, as functions of a checkpoint's dimensions, its weights and a storage plan. */
export * from './types';
export { deviceHeadSize } from './attention';
export { buildCacheTools, type CacheTools } from './cache-tools';
export { buildDepth } from './depth';
export { buildMimiDecoder } from './mimi-decoder';
export { buildMimiEncoder, frameSamples } from './mimi-encoder';
export { pastRows, ROWS_PER_FRAME, visibleRows } from './mimi-transformer';
export { storagePlan } from './plan';
export { STATE_IN, STATE_OUT } from './streaming';
export { buildTemporal, cacheName, pageLayout } from './temporal';
