/** The models on this machine: list, open, remove. */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { asNpcVoiceError, NpcVoiceError } from '../../errors';
import {
  diskFailure,
  MODEL_ID,
  readManifest,
  TOKENIZER_FILE,
  VOICES_FOLDER,
  type ModelManifest,
} from '../import';

export interface InstalledModel {
  folder: string;
  manifest: ModelManifest;
  /** Size on disk. */
  bytes: number;
  graphs: { temporal: string; depth: string; mimiEncoder: string; mimiDecoder: string };
  /** Null for a model imported without one. */
  tokenizer: string | null;
  /** Folder of the voices that came with the checkpoint; it need not exist. */
  voices: string;
}

export interface ModelList {
  models: InstalledModel[];
  /** Folders that look like models but cannot be used, and why. */
  broken: { id: string; error: NpcVoiceError }[];
}

/** How to get a damaged model whole: one that was installed would else be found to be here already. */
const howToMend = ({ id, tier, provider, source }: ModelManifest): string =>
  source.revision === undefined
    ? `Import the model ${id} again.`
    : `Run \`npc-voice model install ${id} --tier ${tier} --provider ${provider} --force\`.`;

/** A file of a model that is not what the manifest says it is. */
export const badFile = (folder: string, manifest: ModelManifest, name: string, what: string): NpcVoiceError =>
  new NpcVoiceError('model_invalid', `${path.join(folder, name)} ${what}.`, {
    hint: howToMend(manifest),
  });

/**
 * Compares the sizes of files with the manifest's; reads none.
 * @throws NpcVoiceError `model_invalid` naming the first that is missing or of another size
 */
export function checkSizes(folder: string, manifest: ModelManifest, files = manifest.files): void {
  for (const { name, size } of files) {
    const found = statSync(path.join(folder, name), { throwIfNoEntry: false });
    if (!found?.isFile()) throw badFile(folder, manifest, name, 'is missing');
    if (found.size !== size)
      throw badFile(folder, manifest, name, `has ${found.size} bytes instead of ${size}`);
  }
}

/**
 * One model, by its folder, wherever that is and whatever it is called.
 * @throws NpcVoiceError as openModel
 */
export function openModelFolder(folder: string): InstalledModel {
  const manifest = readManifest(folder);
  // A voice that is gone is missed by those who ask for it only.
  const needed = manifest.files.filter(({ name }) => !name.startsWith(`${VOICES_FOLDER}/`));
  checkSizes(folder, manifest, needed);
  const graph = (name: string): string => path.join(folder, `${name}.onnx`);
  const tokenizer = path.join(folder, TOKENIZER_FILE);
  return {
    folder,
    manifest,
    bytes: manifest.files.reduce((sum, file) => sum + file.size, 0),
    graphs: {
      temporal: graph('temporal'),
      depth: graph('depth'),
      mimiEncoder: graph('mimi-encoder'),
      mimiDecoder: graph('mimi-decoder'),
    },
    tokenizer: existsSync(tokenizer) ? tokenizer : null,
    voices: path.join(folder, VOICES_FOLDER),
  };
}

/** Every model below `root`, by name. A folder that does not exist holds none. */
export function listModels(root: string): ModelList {
  const list: ModelList = { models: [], broken: [] };
  const found = statSync(root, { throwIfNoEntry: false });
  if (!found) return list;
  if (!found.isDirectory())
    throw new NpcVoiceError('io', `${root} should be the folder of models, and is a file.`, {
      hint: 'Set NPC_VOICE_MODELS to a folder.',
    });
  for (const entry of readdirSync(root, { withFileTypes: true }).sort((a, b) =>
    a.name.localeCompare(b.name),
  )) {
    if (!entry.isDirectory() || !MODEL_ID.test(entry.name)) continue;
    try {
      list.models.push(openModelFolder(path.join(root, entry.name)));
    } catch (error) {
      list.broken.push({ id: entry.name, error: asNpcVoiceError(error) });
    }
  }
  return list;
}

/**
 * One model, by id.
 * @throws NpcVoiceError `model_unavailable` when there is none, `model_invalid` when its manifest cannot be used, or a
 *   file is missing or of another size
 */
export function openModel(id: string, root: string): InstalledModel {
  if (!MODEL_ID.test(id) || !existsSync(path.join(root, id))) {
    const known = listModels(root).models.map((model) => model.manifest.id);
    throw new NpcVoiceError('model_unavailable', `There is no model ${id.slice(0, 80)} on this machine.`, {
      hint: known.length
        ? `There ${known.length > 1 ? 'are' : 'is'} ${known.join(', ')}.`
        : 'Run `npc-voice model install personaplex`, or `npc-voice model install moshiko`, which needs no licence.',
    });
  }
  return openModelFolder(path.join(root, id));
}

/**
 * Removes a model; also one whose manifest is damaged.
 * @throws NpcVoiceError `model_unavailable` when there is none of that name, `io` when it cannot be removed
 */
export function removeModel(id: string, root: string): void {
  const folder = path.join(root, id);
  if (!MODEL_ID.test(id) || !existsSync(folder)) openModel(id, root);
  // Renamed first, so that nothing half-removed is ever found under the model's name.
  const gone = path.join(root, `.gone-${id}-${process.pid}`);
  // A removal that was killed may have had the same number: in a container they all have.
  try {
    rmSync(gone, { recursive: true, force: true });
    renameSync(folder, gone);
    rmSync(gone, { recursive: true, force: true, maxRetries: 5 });
  } catch (error) {
    throw diskFailure(error, root);
  }
}
