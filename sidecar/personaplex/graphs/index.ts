/** The model's four graphs, as functions of a checkpoint's dimensions, its weights and a storage plan. */
export * from './types';
export { buildDepth } from './depth';
export { storagePlan } from './plan';
export { buildTemporal, cacheName, pageLayout } from './temporal';
