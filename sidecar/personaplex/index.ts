/** PersonaPlex without Python: a checkpoint imported as ONNX graphs, run in a process of its own, as a duplex model. */
import path from 'node:path';
import type { DuplexModel } from '../duplex';
import { PersonaPlex, type PersonaPlexOptions } from './duplex/model';
// Not the store's index, which loads ONNX Runtime into this process.
import { modelsFolder } from './store/location';

export interface CreateOptions extends Omit<PersonaPlexOptions, 'folder'> {
  /** Id of a model in the store, or the folder of an imported one. */
  model: string;
}

/** A model of the store, or of any folder, as a duplex model. `start()` it before use. */
export function createPersonaPlex({ model, ...options }: CreateOptions): DuplexModel {
  return new PersonaPlex({ ...options, folder: folderOf(model) });
}

/** A name alone is the store's, even where a folder of that name lies here. */
function folderOf(model: string): string {
  const isPath = model.includes('/') || model.includes(path.sep);
  return isPath ? path.resolve(model) : path.join(modelsFolder(), model);
}
