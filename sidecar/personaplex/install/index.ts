/** Installs a model by name: licence, download, import. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { NpcVoiceError } from '../../errors';
import {
  checkSpace,
  diskFailure,
  findCheckpoint,
  importModel,
  makeModelsFolder,
  MODEL_ID,
  sweepLeftovers,
  type ImportProgress,
  type ModelManifest,
} from '../import';
import { storagePlan, type Provider, type StoragePlan, type Tier } from '../graphs';
import { checkSizes, openModel } from '../store';
import { CATALOGUE, type CatalogueEntry } from './catalogue';
import { bytesPresent, download } from './download';
import { Hub, TransientError, type HubFile, type HubOptions } from './hub';
import { isAccepted, rememberAccepted } from './licences';
import { lockFolder } from './lock';

export { CATALOGUE, type CatalogueEntry, type Licence } from './catalogue';
export { bytesPresent, download, type DownloadOptions } from './download';
export { Hub, TransientError, type HubFile, type HubOptions } from './hub';
export { isAccepted, rememberAccepted } from './licences';

/** The file that tells one release of a model from another; every repository of the catalogue has it. */
const WEIGHTS = 'model.safetensors';
/** Parts of downloads and downloads that are kept. */
const DOWNLOADS = '.downloads';

/** What a model takes on disk relative to its checkpoint, rounded up; the import itself checks again, exactly. */
const IMPORTED_SHARE: Record<Tier, number> = { f32: 2.1, f16: 1.1, q8: 0.65, mixed: 0.6, q4: 0.45 };

/** Where a model runs, and what it computes in there: by default what that is best at. */
export interface Place {
  provider: Provider;
  activations?: StoragePlan['activations'];
}

export interface InstallOptions {
  entry: CatalogueEntry;
  models: string;
  tier: Tier;
  /** Says where the model will run; called when licence and token are in order, before anything is downloaded. */
  place: () => Promise<Place>;
  hub: HubOptions;
  /** Asks for the licence to be accepted; called at most once in the life of a models folder. */
  accept: (entry: CatalogueEntry) => Promise<boolean>;
  /** Keep the checkpoint beside the model, to import it again in another tier. Fetches it even when the model is here. */
  keepDownload: boolean;
  /** Do it all again even when the model is here as it would be installed. */
  again?: boolean;
  threads?: number;
  on: {
    /** The model is here, but what the hub has is not known to be the same, and is installed now. */
    outdated?: () => void;
    download?: (file: string, bytes: number, size: number) => void;
    retrying?: (why: string, waitMs: number) => void;
    import?: (progress: ImportProgress) => void;
  };
  /** Passed to the download; see there. */
  patienceMs?: number;
}

export interface Installation {
  manifest: ModelManifest;
  /** The model was here as it would have been installed, and nothing was done. */
  wasHere: boolean;
  /** Why the hub could not say whether there is a newer one; only of a model that was here. */
  notAsked?: string;
}

/** @throws NpcVoiceError `model_unavailable` when the catalogue has no such model */
export function catalogueEntry(id: string): CatalogueEntry {
  const entry = CATALOGUE.find((each) => each.id === id);
  if (!entry)
    throw new NpcVoiceError('model_unavailable', `There is no model ${id} to install.`, {
      hint: `There are ${CATALOGUE.map((each) => each.id).join(' and ')}; a checkpoint of your own is brought in with \`npc-voice model import\`.`,
    });
  return entry;
}

/**
 * Installs a model, unless it is here already: from the same repository at the commit that is the newest, in the same
 * tier and for the same place. Interrupted at any point, the same call goes on where it stopped.
 * @throws NpcVoiceError `unauthorized` without licence or token, `io` for network and disk, `model_invalid`, `conflict`
 *   while another process installs it
 */
export async function installModel(options: InstallOptions): Promise<Installation> {
  const hub = new Hub(options.hub);
  makeModelsFolder(options.models);
  try {
    return await install(options, hub);
  } catch (error) {
    throw diskFailure(error, options.models);
  }
}

async function install(options: InstallOptions, hub: Hub): Promise<Installation> {
  const { entry, models, tier, on } = options;
  // What a killed import left takes the room that this one needs, and may be the model that is here.
  sweepLeftovers(models);
  let place: Place | undefined;
  const here = options.again || options.keepDownload ? null : modelHere(options);
  if (here) {
    place = await options.place();
    if (isPlacedAs(here, place)) {
      const found = await compareWithHub(hub, entry, here);
      if (found) return found;
      on.outdated?.();
    }
  }
  await agree(options);
  place ??= await options.place();
  const folder = path.join(models, DOWNLOADS, entry.id);
  const unlock = await lockFolder(folder);
  try {
    mkdirSync(folder, { recursive: true });
    return { manifest: await fetchAndImport(options, hub, place, folder), wasHere: false };
  } finally {
    unlock();
  }
}

async function fetchAndImport(
  options: InstallOptions,
  hub: Hub,
  place: Place,
  folder: string,
): Promise<ModelManifest> {
  const { entry, models, tier, on } = options;
  const { commit, files } = await describeAll(hub, entry, on.retrying, options.patienceMs);
  const missing = files.reduce((sum, file) => sum + file.size - bytesPresent(folder, file), 0);
  const checkpoint = files.reduce((sum, file) => sum + file.size, 0);
  await checkSpace(models, missing + checkpoint * IMPORTED_SHARE[tier]);

  const hashes = new Map<string, string>();
  for (const file of files) {
    const done = await download({
      hub,
      repository: entry.repository,
      revision: commit,
      file,
      folder,
      progress: (bytes) => on.download?.(file.name, bytes, file.size),
      ...(on.retrying ? { retrying: on.retrying } : {}),
      ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
    });
    hashes.set(done.path, done.sha256);
  }
  const manifest = await importModel({
    files: findCheckpoint(folder),
    models,
    id: entry.id,
    name: entry.name,
    tier,
    ...place,
    origin: { from: entry.repository, revision: commit, licence: entry.licence.name },
    sourceHashes: hashes,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
    ...(on.import ? { progress: on.import } : {}),
  });
  if (!options.keepDownload) rmSync(folder, { recursive: true, force: true });
  return manifest;
}

/** The model, where it was installed from the same repository in the same tier, and is whole. */
function modelHere({ entry, models, tier }: InstallOptions): ModelManifest | null {
  try {
    const { folder, manifest } = openModel(entry.id, models);
    // What can be used may still lack a voice.
    checkSizes(folder, manifest);
    return manifest.source.from === entry.repository && manifest.tier === tier ? manifest : null;
  } catch {
    // What is not there or cannot be used is installed.
    return null;
  }
}

const isPlacedAs = (
  { tier, provider, activations }: ModelManifest,
  { provider: wanted, activations: precision }: Place,
): boolean => provider === wanted && activations === storagePlan(tier, wanted, precision).activations;

/**
 * Asks the hub, once, for its newest commit; of a mirror that tells of none, whether the weights are the same. A hub
 * that gives no answer does not make a model that is here less installed.
 * @returns null when the hub has something else
 */
async function compareWithHub(
  hub: Hub,
  { repository }: CatalogueEntry,
  manifest: ModelManifest,
): Promise<Installation | null> {
  const { revision, files } = manifest.source;
  try {
    const { commit, sha256 } = await hub.describe(repository, 'main', WEIGHTS);
    const isSame =
      commit === null
        ? sha256 !== null && files.some((file) => file.name === WEIGHTS && file.sha256 === sha256)
        : commit === revision;
    return isSame ? { manifest, wasHere: true } : null;
  } catch (error) {
    if (!(error instanceof TransientError) && !(error instanceof NpcVoiceError)) throw error;
    return { manifest, wasHere: true, notAsked: error.message };
  }
}

async function agree({ entry, models, accept, hub }: InstallOptions): Promise<void> {
  if (entry.gated && !hub.token)
    throw new NpcVoiceError(
      'unauthorized',
      `${entry.name} is only given to who has accepted its licence, and HF_TOKEN is not set.`,
      {
        hint: `Accept it at https://huggingface.co/${entry.repository}, make a token with read access at https://huggingface.co/settings/tokens, set HF_TOKEN to it, and run this again. \`npc-voice model install moshiko\` needs no token.`,
      },
    );
  if (isAccepted(models, entry.repository)) return;
  if (!(await accept(entry)))
    throw new NpcVoiceError(
      'unauthorized',
      `The ${entry.licence.name} was not accepted; nothing was downloaded.`,
    );
  rememberAccepted(models, entry.repository, entry.licence.name);
}

async function describeAll(
  hub: Hub,
  entry: CatalogueEntry,
  retrying: InstallOptions['on']['retrying'],
  patienceMs = 1000,
): Promise<{ commit: string; files: HubFile[] }> {
  const files: HubFile[] = [];
  let commit = 'main';
  for (const name of entry.files) {
    const file = await patiently(() => hub.describe(entry.repository, commit, name), patienceMs, retrying);
    // From the first answer on, all files are asked for at one commit.
    if (file.commit) commit = file.commit;
    files.push(file);
  }
  return { commit, files };
}

const MAX_ATTEMPTS = 5;
async function patiently<T>(
  attempt: () => Promise<T>,
  patienceMs: number,
  retrying: InstallOptions['on']['retrying'],
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (tries === MAX_ATTEMPTS)
        throw new NpcVoiceError('io', `The hub cannot be reached: ${error.message}.`, {
          hint: 'Check your connection and run the same command again.',
          cause: error,
        });
      const wait = patienceMs * 2 ** tries;
      retrying?.(error.message, wait);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/**
 * Removes what is left of downloads of a model.
 * @returns whether there was anything
 * @throws NpcVoiceError `conflict` while a process downloads it
 */
export async function removeDownloads(models: string, id: string): Promise<boolean> {
  // An id that leads out of the folder must not take what it leads to with it.
  if (!MODEL_ID.test(id)) return false;
  const folder = path.join(models, DOWNLOADS, id);
  if (!existsSync(folder)) return false;
  const unlock = await lockFolder(folder);
  try {
    rmSync(folder, { recursive: true, force: true });
    return true;
  } finally {
    unlock();
  }
}
