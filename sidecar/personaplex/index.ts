/** PersonaPlex without Python: a checkpoint imported as ONNX graphs, run in a process of its own, as a duplex model. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { DuplexModel } from '../duplex';
import { NpcVoiceError } from '../errors';
import { PersonaPlex, type PersonaPlexOptions } from './duplex/model';
import { MANIFEST_FILE } from './import/manifest';
// Not the store's index, which loads ONNX Runtime into this process.
import { modelsFolder } from './store/location';

export interface CreateOptions extends Omit<PersonaPlexOptions, 'folder'> {
  /** Id of a model in the store, or the folder of an imported one. */
  model: string;
}

/** What `model install` gets. */
const INSTALLABLE: readonly string[] = ['personaplex', 'moshiko'];

/**
 * A model of the store, or of any folder, as a duplex model. `start()` it before use.
 * @throws NpcVoiceError `model_unavailable` when there is none
 */
export function createPersonaPlex({ model, ...options }: CreateOptions): DuplexModel {
  const isFolder = model.includes('/') || model.includes(path.sep);
  const folder = isFolder ? path.resolve(model) : path.join(modelsFolder(), model);
  if (!existsSync(path.join(folder, MANIFEST_FILE)))
    throw new NpcVoiceError(
      'model_unavailable',
      isFolder
        ? `${folder} holds no imported model.`
        : `The model ${model} is not installed on this machine.`,
      { hint: hintFor(model, isFolder) },
    );
  return new PersonaPlex({ ...options, folder });
}

function hintFor(model: string, isFolder: boolean): string {
  if (isFolder) return 'Run `npc-voice model import` on the folder of a checkpoint first.';
  if (INSTALLABLE.includes(model)) return `Run \`npc-voice model install ${model}\`.`;
  return 'Run `npc-voice model list` to see what there is, or `npc-voice model install personaplex`.';
}
