/** The models on this machine: where they are, what they are, and whether they are what they should be. */
export { codecInput, numpyNormal } from './codec-input';
export { modelsFolder } from './location';
export {
  checkSizes,
  listModels,
  openModel,
  openModelFolder,
  removeModel,
  type InstalledModel,
  type ModelList,
} from './models';
export {
  hasReference,
  judgeReport,
  REFERENCE_REPOSITORY,
  replayReference,
  verifyFiles,
  type ReferenceReport,
} from './verify';
