/** `npc-voice talk`: a conversation offline, from one WAV file into another, faster than real time. */
import { InvalidArgumentError, type Command } from 'commander';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pc } from '../colours';
import { NpcVoiceError, asNpcVoiceError } from '../errors';
import type { OfflineConversation } from '../scene';
import { action } from './failure';
import { createDuplexModel, withDuplexModel } from './duplex-model';
import { castFolders, requireFolders, shortPath, withCastFolders } from './folders';
import { ProgressBar, clockTime } from './progress';

interface TalkOptions {
  persona: string;
  personas?: string;
  voices?: string;
  input?: string;
  output?: string;
  transcript?: string;
  turns?: string;
  stereo?: boolean;
  greet: boolean;
  seed: number;
  tail: number;
  seconds: number;
  model: string;
}

const FRAME_SECONDS = 0.08;

export function registerTalkCommand(program: Command): void {
  withDuplexModel(withCastFolders(program.command('talk')))
    .description('Talk to an NPC offline: a WAV file of the player in, the NPC and a transcript out.')
    .requiredOption('--persona <id>', 'whom to talk to')
    .option('--input <file>', 'WAV file of the player, 8 to 48 kHz (default: nobody speaks)')
    .option('--output <file>', "WAV file for the NPC's voice, 24 kHz, in time with the input")
    .option('--stereo', 'put the NPC left and the player right')
    .option('--transcript <file>', 'JSON file of what was said and heard')
    .option('--turns <file>', 'JSON file of turn events and cues')
    .option('--tail <seconds>', 'how long to go on after the input ends', seconds, 5)
    .option('--seconds <seconds>', 'how long to go on without an input', seconds, 10)
    .option('--seed <number>', 'seed of everything the NPC chooses', wholeNumber, 1)
    .option('--no-greet', 'let the player speak first')
    .addHelpText(
      'after',
      `
The same input, persona, voice and seed give the same file, byte for byte.

Examples:
  $ npc-voice talk --persona aldric --input player.wav --output both.wav --stereo
  $ npc-voice talk --persona aldric --seconds 6 --output greeting.wav`,
    )
    .action(action(talk));
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 86_400))
    throw new InvalidArgumentError('It is a number of seconds, 0 to 86400.');
  return value;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 0xffff_ffff)
    throw new InvalidArgumentError('A seed is 0 to 4294967295.');
  return value;
}

async function talk(options: TalkOptions): Promise<void> {
  for (const option of ['output', 'transcript', 'turns'] as const) requireFile(option, options[option]);
  const player = options.input === undefined ? null : await readPlayer(options.input);
  const folders = castFolders(options);
  requireFolders(folders);
  const [{ PersonaLibrary }, { converse }, model] = await Promise.all([
    import('../personas'),
    import('../scene'),
    createDuplexModel({ model: options.model, voices: folders.voices, realtime: false }),
  ]);
  const cast = await PersonaLibrary.open({ ...folders, watch: false });
  const { name } = cast.persona(options.persona);
  const progress = new ProgressBar(`Talking to ${name}`);
  try {
    await model.start();
    const conversation = await converse({
      model,
      cast,
      persona: options.persona,
      seed: options.seed,
      greet: options.greet,
      player,
      seconds: player ? player.samples.length / player.rate + options.tail : options.seconds,
      onFrame: (done, of) => progress.update(done, of),
    });
    progress.end();
    await save(options, conversation, player);
    show(name, options, conversation);
  } finally {
    progress.end();
    await model.stop();
    await cast.close();
  }
}

interface Player {
  samples: Float32Array;
  rate: number;
}

async function readPlayer(file: string): Promise<Player> {
  const { checkFormat, readWav } = await import('../audio');
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'There is no such file' : `It cannot be read (${cause.code})`;
    throw new NpcVoiceError('io', `${why}: ${shortPath(file)}`, {
      hint: '--input takes a WAV file of the player speaking.',
      cause,
    });
  });
  try {
    const wav = readWav(bytes);
    checkFormat({ codec: 'f32', rate: wav.rate, channels: 1 });
    return { samples: wav.mono(), rate: wav.rate };
  } catch (thrown) {
    const { code, message, hint } = asNpcVoiceError(thrown);
    throw new NpcVoiceError(code, `${shortPath(file)}: ${message}`, {
      ...(hint ? { hint } : {}),
      cause: thrown,
    });
  }
}

/** Found out before the conversation, not after it. */
function requireFile(option: string, file: string | undefined): void {
  if (file === '-')
    throw new NpcVoiceError('bad_field', `--${option} takes a file: talk writes nothing but its words to standard output.`, {
      hint: `Name a file, such as --${option} ${option === 'output' ? 'npc.wav' : `${option}.json`}.`,
    }); // prettier-ignore
  if (file === undefined || existsSync(path.dirname(path.resolve(file)))) return;
  throw new NpcVoiceError(
    'io',
    `There is no folder ${shortPath(path.dirname(path.resolve(file)))} to write into.`,
    {
      hint: 'Make it first.',
    },
  );
}

async function save(
  options: TalkOptions,
  { voice, lines, turns, cues }: OfflineConversation,
  player: Player | null,
) {
  const { SAMPLE_RATE, writeWav } = await import('../audio');
  if (options.output !== undefined) {
    const channels = options.stereo ? [voice, await alongside(voice, player)] : voice;
    await write(options.output, writeWav(channels, SAMPLE_RATE));
  }
  const about = {
    persona: options.persona,
    model: options.model,
    seed: options.seed,
    frame_seconds: FRAME_SECONDS,
  };
  if (options.transcript !== undefined) await writeJson(options.transcript, { ...about, lines });
  if (options.turns !== undefined) await writeJson(options.turns, { ...about, turns, cues });
}

/** The player at the NPC's rate and length. */
async function alongside(voice: Float32Array, player: Player | null): Promise<Float32Array> {
  const { Resampler, SAMPLE_RATE } = await import('../audio');
  const out = new Float32Array(voice.length);
  if (!player) return out;
  const sameRate =
    player.rate === SAMPLE_RATE
      ? player.samples
      : new Resampler(player.rate, SAMPLE_RATE).process(player.samples);
  out.set(sameRate.subarray(0, out.length));
  return out;
}

const writeJson = (file: string, value: unknown) => write(file, `${JSON.stringify(value, null, 2)}\n`);

async function write(file: string, content: string | Uint8Array): Promise<void> {
  await writeFile(file, content).catch((cause: NodeJS.ErrnoException) => {
    throw new NpcVoiceError('io', `${shortPath(file)} cannot be written (${cause.code}).`, { cause });
  });
}

function show(name: string, options: TalkOptions, { lines }: OfflineConversation): void {
  const said = [...lines].sort((a, b) => a.n - b.n);
  for (const { who, n, heard, text, ms, cut } of said) {
    const when = pc.dim(clockTime(n * FRAME_SECONDS));
    if (who === 'player') print(`${when}  ${pc.dim(`you, for ${(ms / 1000).toFixed(1)} s`)}`);
    else print(`${when}  ${pc.bold(name)}: ${heard}${cut ? pc.dim(` (cut; it was “${text}”)`) : ''}`);
  }
  if (said.length === 0) print(`Nobody said anything.`);
  const files = [options.output, options.transcript, options.turns].filter((file) => file !== undefined);
  if (files.length > 0) print(pc.dim(`Written: ${files.map(shortPath).join(', ')}`));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
