/** `npc-voice init`: lays personas and voices into a game's project. */
import type { Command } from 'commander';
import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pc } from '../colours';
import { NpcVoiceError } from '../errors';
import { shippedPersonas, shippedVoices } from '../paths';
import { action } from './failure';
import { shortPath } from './folders';

/** The starter's id and voice. */
const STARTER = 'robin';
const STARTER_VOICE = 'marta';

export function registerInitCommand(program: Command): void {
  program
    .command('init')
    .description("Lay personas and voices into a game's project; what is there already is kept.")
    .argument('[dir]', 'the project', '.')
    .option('--cast', 'with the whole shipped cast, to take apart')
    .action(action(init));
}

async function init(dir: string, options: { cast?: boolean }): Promise<void> {
  const { nameFromId, PERSONA_SCHEMA_FILE, personaJsonSchema, personaTemplate, schemaText, VOICE_SCHEMA_FILE, voiceJsonSchema } =
    await import('../personas'); // prettier-ignore
  const personas = path.join(dir, 'npc-personas');
  const voices = path.join(dir, 'voices');
  const laid: string[] = [];
  const kept: string[] = [];
  const lay = async (file: string, write: () => Promise<void>): Promise<void> => {
    try {
      await write();
      laid.push(file);
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      if (code !== 'EEXIST')
        throw new NpcVoiceError('io', `${shortPath(file)} cannot be written: ${code ?? String(thrown)}.`);
      kept.push(file);
    }
  };
  const text = (file: string, content: string) => lay(file, () => writeFile(file, content, { flag: 'wx' }));
  const copies = async (from: string, to: string) => {
    for (const name of (await readdir(from)).filter((each) => each.endsWith('.yaml')).sort()) {
      const file = path.join(to, name);
      await lay(file, () => copyFile(path.join(from, name), file, constants.COPYFILE_EXCL));
    }
  };

  for (const folder of [personas, voices])
    await mkdir(folder, { recursive: true }).catch((thrown: NodeJS.ErrnoException) => {
      throw new NpcVoiceError('io', `${shortPath(folder)} cannot be made: ${thrown.code}.`, {
        hint: 'Is there a file of that name?',
      });
    });
  await text(path.join(personas, PERSONA_SCHEMA_FILE), schemaText(personaJsonSchema()));
  await text(path.join(voices, VOICE_SCHEMA_FILE), schemaText(voiceJsonSchema()));
  await text(
    path.join(personas, `${STARTER}.yaml`),
    personaTemplate({ name: nameFromId(STARTER), voice: STARTER_VOICE }),
  );
  if (options.cast) await copies(shippedPersonas, personas);
  await copies(shippedVoices, voices);

  for (const file of laid) print(`${pc.green('laid')} ${shortPath(file)}`);
  for (const file of kept) print(`${pc.dim('kept')} ${shortPath(file)}`);
  const here = path.resolve(dir) === process.cwd();
  print(`
Next:
  ${here ? '' : `cd ${shortPath(path.resolve(dir))}\n  `}npc-voice serve                open the address it prints, and talk to ${nameFromId(STARTER)}
  edit ${path.join('npc-personas', `${STARTER}.yaml`)}   each save is heard at once
  npc-voice persona new <id>     a character of your own
  npc-voice persona lint         check them all`);
}

const print = (line: string): void => void process.stdout.write(line + '\n');
