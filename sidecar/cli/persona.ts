/** `npc-voice persona lint | new | list | schema`. */
import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pc } from '../colours';
import { NpcVoiceError } from '../errors';
import { shippedPersonas } from '../paths';
import { action } from './failure';
import { castFolders, requireFolders, shortPath, withCastFolders } from './folders';
import { renderProblem, summary } from './problems';

interface FolderOptions {
  personas?: string;
  voices?: string;
}

export function registerPersonaCommands(program: Command): void {
  const persona = program.command('persona').description('Check, begin and list persona files.');

  withCastFolders(persona.command('lint'))
    .description('Check persona and voice files: errors, and what was probably not meant.')
    .argument(
      '[files...]',
      'persona and voice files, folders of them, or ids (default: every persona and voice)',
    )
    .option('--json', 'print the problems as JSON')
    .option('--strict', 'fail on warnings too')
    .action(action(lint));
  withCastFolders(persona.command('new'))
    .description('Begin a persona file, with comments that explain it.')
    .argument('<id>', "the character's id and the file's name: a-z, 0-9, _ and -")
    .option('--name <name>', 'what it is called (default: made from the id)')
    .option('--voice <id>', 'its voice (default: one called like it, else the first there is)')
    .action(action(begin));
  withCastFolders(persona.command('list'))
    .description('List the personas, and what is wrong with those that are refused.')
    .option('--json', 'print them as JSON')
    .action(action(list));
  withCastFolders(persona.command('schema'))
    .description('Write the JSON Schemas that editors complete from into the folders.')
    .option('--print <which>', 'print one instead: persona or voice')
    .action(action(schema));
}

async function lint(targets: string[], options: FolderOptions & { json?: boolean; strict?: boolean }) {
  const { lintFiles } = await import('./lint-files');
  const checked = await lintFiles(targets, options);
  const problems = checked.flatMap((file) => file.problems);
  if (options.json) print(JSON.stringify(checked, null, 2));
  else {
    for (const problem of problems) print(renderProblem(problem));
    print(summary(checked.length, problems));
  }
  if (problems.some((p) => p.severity === 'error' || (options.strict && p.severity === 'warning')))
    process.exitCode = 1;
}

async function begin(id: string, options: FolderOptions & { name?: string; voice?: string }): Promise<void> {
  const { nameFromId, personaTemplate, PersonaLibrary } = await import('../personas');
  const folders = castFolders(options);
  if (folders.personas === shippedPersonas && path.dirname(shippedPersonas) !== process.cwd())
    throw new NpcVoiceError('io', 'There is no npc-personas folder here.', {
      hint: 'Lay one with `npc-voice init`, or name one with --personas.',
    });
  const library = await PersonaLibrary.open({ ...folders, watch: false });
  const voices = library.voices().map((voice) => voice.id);
  const voice = options.voice ?? (voices.includes(id) ? id : voices[0]);
  if (voice === undefined)
    throw new NpcVoiceError('unknown_voice', `There are no voices in ${shortPath(folders.voices)}.`, {
      hint: 'Lay some with `npc-voice init`, or name a folder with --voices.',
    });
  library.voice(voice);
  const file = path.join(folders.personas, `${id}.yaml`);
  if (existsSync(file))
    throw new NpcVoiceError('conflict', `${shortPath(file)} is there already.`, {
      hint: 'Take another id, or edit that file.',
    });
  await mkdir(folders.personas, { recursive: true });
  await library.write(id, personaTemplate({ name: options.name ?? nameFromId(id), voice }));
  await writeSchemas(folders.personas, undefined, 'missing');
  print(`${pc.green('wrote')} ${shortPath(file)}`);
  print(`Edit it while \`npc-voice serve\` runs: each save is heard at once.`);
}

async function list(options: FolderOptions & { json?: boolean }): Promise<void> {
  const { PersonaLibrary } = await import('../personas');
  const folders = castFolders(options);
  requireFolders(folders);
  const library = await PersonaLibrary.open({ ...folders, watch: false });
  const rows = library.list().map((entry) => {
    const { turn_taking: turns, lines } = library.persona(entry.id);
    return {
      ...entry,
      overlap: turns.overlap,
      patience_ms: turns.patience_ms,
      replies: lines.replies.length,
    };
  });
  const rejected = library.rejections();
  if (options.json) {
    print(JSON.stringify({ personas: rows, rejected }, null, 2));
    return;
  }
  const table = [
    ['id', 'name', 'voice', 'cut in on', 'patience', 'replies'],
    ...rows.map((r) => [r.id, r.name, r.voice, r.overlap, `${r.patience_ms} ms`, String(r.replies)]),
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  for (const [i, row] of table.entries()) {
    const line = row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd(); // prettier-ignore
    print(i === 0 ? pc.dim(line) : line);
  }
  for (const { file, line, col, msg } of rejected)
    print(`${pc.red('refused')} ${shortPath(file)}:${line}:${col}: ${msg}`);
}

async function schema(options: FolderOptions & { print?: string }): Promise<void> {
  if (options.print !== undefined) {
    const { personaJsonSchema, schemaText, voiceJsonSchema } = await import('../personas');
    const one = { persona: personaJsonSchema, voice: voiceJsonSchema }[options.print];
    if (!one) throw new NpcVoiceError('bad_field', `--print takes persona or voice, not '${options.print}'.`);
    process.stdout.write(schemaText(one()));
    return;
  }
  const folders = castFolders(options);
  requireFolders(folders);
  for (const file of await writeSchemas(folders.personas, folders.voices, 'always'))
    print(`${pc.green('wrote')} ${shortPath(file)}`);
}

/** Writes the schema files that are asked for; returns those it wrote. */
export async function writeSchemas(
  personas: string | undefined,
  voices: string | undefined,
  when: 'missing' | 'always',
): Promise<string[]> {
  const room = await import('../personas');
  const wanted = [
    [personas, room.PERSONA_SCHEMA_FILE, room.personaJsonSchema] as const,
    [voices, room.VOICE_SCHEMA_FILE, room.voiceJsonSchema] as const,
  ];
  const written: string[] = [];
  for (const [dir, name, make] of wanted) {
    if (dir === undefined) continue;
    const file = path.join(dir, name);
    if (when === 'missing' && existsSync(file)) continue;
    await writeFile(file, room.schemaText(make()));
    written.push(file);
  }
  return written;
}

const print = (line: string): void => void process.stdout.write(line + '\n');
