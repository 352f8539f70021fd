/** Files that people write: YAML within limits, problems with places, folders that are watched, safe writing. */
export { ID_PATTERN, ID_RULE } from './id';
export { fileProblem, firstError, problemError, sortProblems, type Problem, type Severity } from './problem';
export { MAX_BYTES, MAX_DEPTH, type Range } from './compose';
export { YamlSource, type Path } from './source';
export { didYouMean, editDistance, nearest } from './suggest';
export { decodeText, hashOf } from './text';
export { FileSchema, validate, withoutEmptyKeys } from './validate';
export { nearestId, YamlFolder, type Reading } from './folder';
export { FolderWatch, type FolderListener } from './watch';
