/** Which files `persona lint` means by its arguments, and what is wrong with them. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { NpcVoiceError } from '../errors';
import { lintPersona, PersonaLibrary } from '../personas';
import { loadVoice } from '../voices';
import { didYouMean, YamlFolder, type Problem } from '../yaml';
import { castFolders, type CastFolders } from './folders';

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
  const chosen =
    targets.length === 0
      ? await everything(folders)
      : await Promise.all(targets.map((target) => targetOf(target, folders, asked.voices)));
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

async function everything(folders: CastFolders): Promise<Target[]> {
  const of = async (kind: Target['kind'], dir: string) =>
    (await new YamlFolder(dir).list()).map((id): Target => ({ kind, id, folders }));
  const all = [...(await of('persona', folders.personas)), ...(await of('voice', folders.voices))];
  if (all.length > 0) return all;
  throw new NpcVoiceError('unknown_persona', `There are no personas in ${folders.personas}.`, {
    hint: 'Lay some with `npc-voice init`, or name a folder with --personas.',
  });
}

async function targetOf(target: string, folders: CastFolders, voices: string | undefined): Promise<Target> {
  const name = path.basename(target);
  const id = YamlFolder.idOf(name);
  if (id !== undefined && existsSync(target)) {
    const dir = path.dirname(path.resolve(target));
    if (dir === folders.voices || path.basename(dir) === 'voices')
      return { kind: 'voice', id, folders: { ...folders, voices: dir } };
    return { kind: 'persona', id, folders: castFolders({ personas: dir, voices }) };
  }
  if (existsSync(path.join(folders.personas, `${target}.yaml`)))
    return { kind: 'persona', id: target, folders };
  throw new NpcVoiceError('unknown_persona', `There is no persona or file '${target}'.`, {
    hint: didYouMean(target, await new YamlFolder(folders.personas).list()),
  });
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
