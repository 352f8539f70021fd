/** What the commands under `model` share: options, words, and the rooms they load when they run. */
import { InvalidArgumentError, Option } from 'commander';
import { bytesText } from '../../bytes-text';
import { pc } from '../../colours';
import { NpcVoiceError } from '../../errors';
import type { Provider, Tier } from '../../personaplex/graphs';
import type { ModelManifest } from '../../personaplex/import';
import { probe } from '../probe';

export const say = (text = ''): void => void process.stdout.write(`${text}\n`);

export interface ImportChoices {
  tier: Tier;
  provider: 'auto' | Provider;
  threads?: number;
}

export const tierOption = (): Option =>
  new Option(
    '--tier <tier>',
    'how good against how small: f16, q8 (near lossless), mixed (4 bits where they are harmless, 8 elsewhere), q4 (4 bits in the temporal transformer: smallest, and it is heard)',
  )
    .choices(['f32', 'f16', 'q8', 'mixed', 'q4'])
    .default('mixed');

export const providerOption = (): Option =>
  new Option('--provider <provider>', 'what the model will run on; auto takes the GPU if WebGPU finds one')
    .choices(['auto', 'webgpu', 'cpu'])
    .default('auto');

/** Where a model will run and in what it computes there, with the reason said. */
export async function chooseProvider(
  choice: ImportChoices['provider'],
): Promise<{ provider: Provider; activations?: 'f32' | 'f16' }> {
  if (choice === 'cpu') return { provider: 'cpu' };
  const { ok, says, halves } = await probe('webgpu');
  if (ok) {
    say(`The model will run on the GPU (WebGPU)${halves ? '' : ', in float32: this GPU has no float16'}.`);
    return { provider: 'webgpu', ...(halves ? {} : { activations: 'f32' }) };
  }
  if (choice === 'webgpu')
    throw new NpcVoiceError('model_unavailable', `The model cannot run on a GPU here: WebGPU ${says}.`, {
      hint: 'Check the graphics driver with `npc-voice doctor`, or take --provider cpu.',
    });
  say(`The model will run on the CPU: WebGPU ${says}. Expect less than real time at full size.`);
  return { provider: 'cpu' };
}

export const threadsOption = (): Option =>
  new Option('--threads <n>', 'worker threads (default: one for each core, 8 at most)').argParser(
    wholeNumber('--threads', 0, 64),
  );

/** Reads an option that takes a whole number. */
export function wholeNumber(name: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`${name} takes a whole number from ${least} to ${most}.`);
    return value;
  };
}

/** What was imported, and what to do next. */
export function summarise({
  id,
  tier,
  provider,
  files,
  voices,
  dropped,
  cosines,
  form,
}: ModelManifest): void {
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const all = Object.values(cosines);
  say(`${pc.green('ready')} ${pc.bold(id)}: ${bytesText(size)}, ${tier}, for ${provider}`);
  if (all.length > 0) {
    const mean = all.reduce((sum, cosine) => sum + cosine, 0) / all.length;
    say(`  weights: cosine ${mean.toFixed(5)} on average, ${Math.min(...all).toFixed(5)} at worst`);
  }
  if (dropped.length > 0)
    say(`  left out: ${dropped.length} tensors that inference never reads (see manifest.json)`);
  if (form === 'moshi') say('  Moshi speaks with one fixed voice and takes no persona.');
  else say(`  voices: ${voices.join(' ') || 'none came with it; use a WAV recording'}`);
  say(`Next: npc-voice model verify ${id}`);
}

/** The rooms behind these commands bring ONNX Runtime with them; loaded when a command runs, not when help is asked for. */
export const rooms = {
  store: () => import('../../personaplex/store'),
  import: () => import('../../personaplex/import'),
  install: () => import('../../personaplex/install'),
};
