/** Which files `persona lint` means by its arguments, and what is wrong with them. */
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { NpcVoiceError } from '../errors';
import { lintPersona, PersonaLibrary } from '../personas';
import { loadVoice } from '../voices';
import { didYouMean, YamlFolder, type Problem } from '../yaml';
import { castFolders, requireFolders, type CastFolders } from './folders';

export interface CheckedFile {
  file: string;
  problems: Problem[];
}
interface Target {
  kind: 'persona' | 'voice';
  id: string;
  folders: CastFolders;
}

/** Throws NpcVoiceError `unknown_persona` for a target that names nothing. */
export async function lintFiles(
  targets: readonly string[],
  asked: { personas?: string; voices?: string },
): Promise<CheckedFile[]> {
  const folders = castFolders(asked);
  requireFolders(folders);
  const chosen =
    targets.length === 0
      ? await everything(folders)
      : (await Promise.all(targets.map((target) => targetsOf(target, folders, asked.voices)))).flat();
  const voicesOf = new Map<string, Promise<string[]>>();
  return Promise.all(
    chosen.map((target) => {
      const { folders } = target;
      const voices = voicesOf.get(folders.voices) ?? voiceIds(folders);
      voicesOf.set(folders.voices, voices);
      return check(target, voices);
    }),
  );
}

async function allOf(kind: Target['kind'], folders: CastFolders): Promise<Target[]> {
  const ids = await new YamlFolder(kind === 'persona' ? folders.personas : folders.voices).list();
  return ids.map((id) => ({ kind, id, folders }));
}

async function everything(folders: CastFolders): Promise<Target[]> {
  const all = [...(await allOf('persona', folders)), ...(await allOf('voice', folders))];
  if (all.length > 0) return all;
  throw new NpcVoiceError('unknown_persona', `There are no personas in ${folders.personas}.`, {
    hint: 'Lay some with `npc-voice init`, or name a folder with --personas.',
  });
}

async function targetsOf(
  target: string,
  folders: CastFolders,
  voices: string | undefined,
): Promise<Target[]> {
  const name = path.basename(target);
  const id = YamlFolder.idOf(name);
  const isFolder = statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
  if (id !== undefined && !isFolder && existsSync(target))
    return [{ ...inFolder(path.dirname(path.resolve(target)), folders, voices), id }];
  if (existsSync(path.join(folders.personas, `${target}.yaml`)))
    return [{ kind: 'persona', id: target, folders }];
  if (isFolder) {
    const it = inFolder(path.resolve(target), folders, voices);
    const all = await allOf(it.kind, it.folders);
    if (all.length > 0) return all;
    throw new NpcVoiceError('unknown_persona', `There are no persona or voice files in ${target}.`, {
      hint: 'Name the folder that has them, such as npc-personas.',
    });
  }
  throw new NpcVoiceError('unknown_persona', `There is no persona, file or folder '${target}'.`, {
    hint: didYouMean(target, await new YamlFolder(folders.personas).list()),
  });
}

/** What the files of a folder are, and which folders go with it. */
function inFolder(dir: string, folders: CastFolders, voices: string | undefined): Omit<Target, 'id'> {
  if (dir === folders.voices || path.basename(dir) === 'voices')
    return { kind: 'voice', folders: { ...folders, voices: dir } };
  return { kind: 'persona', folders: castFolders({ personas: dir, voices }) };
}

async function check({ kind, id, folders }: Target, voices: Promise<string[]>): Promise<CheckedFile> {
  const folder = new YamlFolder(kind === 'persona' ? folders.personas : folders.voices);
  const file = folder.fileOf(id);
  const reading = await folder.read(id);
  if (reading.kind === 'unreadable') return { file, problems: [reading.problem] };
  const text = reading.kind === 'text' ? reading.text : '';
  if (kind === 'voice') return { file, problems: loadVoice(id, text, file).problems };
  return { file, problems: lintPersona(id, text, { voices: await voices, file }) };
}

/** Ids of the voices that are good. */
async function voiceIds(folders: CastFolders): Promise<string[]> {
  const library = await PersonaLibrary.open({ ...folders, watch: false });
  return library.voices().map((voice) => voice.id);
}
