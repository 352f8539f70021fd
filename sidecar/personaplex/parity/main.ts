/** `npm run -s parity -- <folder> [--ep cpu|webgpu]`: replays the reference's traces; ends with 1 when one disagrees. */
import { asNpcVoiceError } from '../../errors';
import type { Provider } from '../graphs';
import { useSoftwareGpu } from '../runtime';
import { runParity } from './run';

const USAGE = `Usage: npm run -s parity -- <folder> [--ep cpu|webgpu]

Replays the reference implementation's traces of small random models, through the same import and graphs that users
get (tier f32), and compares every token, vector and sample. <folder> may hold:

  tiny-lm.safetensors     a language model, with any number of tiny-lm-trace*.json
  tiny-lm-voice-pt.json   the voice its traces begin with, saved in full precision
  tiny-voice.pt           the same in torch's file, whose rows are rounded to bfloat16: without the JSON they are compared
                          with the checkpoint's own sums, and a replay from them is reported, not judged
  tiny-mimi.safetensors   a codec, with tiny-mimi-trace.json

Of a trace's sixteen depth steps the eight that matter exist, and are compared. What is absent is skipped and named.
Ends with 0 when all agree, 1 when something differs or nothing was compared,
2 when it was called wrongly.
`;

type Arguments = { folder: string; provider: Provider } | { wrong: string } | 'help';

function parseArguments(args: readonly string[]): Arguments {
  let folder: string | undefined;
  let provider: string | undefined = 'cpu';
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--help' || arg === '-h') return 'help';
    if (arg === '--ep') provider = args[++i];
    else if (arg.startsWith('--ep=')) provider = arg.slice('--ep='.length);
    else if (arg.startsWith('-')) return { wrong: `There is no option ${arg}.` };
    else if (folder !== undefined) return { wrong: `One folder at a time, not also ${arg}.` };
    else folder = arg;
  }
  if (folder === undefined) return { wrong: 'Name the folder to replay.' };
  if (provider !== 'cpu' && provider !== 'webgpu')
    return { wrong: `--ep takes cpu or webgpu, not ${provider ?? 'nothing'}.` };
  return { folder, provider };
}

const parsed = parseArguments(process.argv.slice(2));
if (parsed === 'help') {
  process.stdout.write(USAGE);
  process.exit(0);
}
if ('wrong' in parsed) {
  process.stderr.write(`${parsed.wrong}\n\n${USAGE}`);
  process.exit(2);
}
try {
  const { folder, provider } = parsed;
  const driver = provider === 'webgpu' ? useSoftwareGpu() : null;
  if (driver) process.stdout.write(`No GPU here: WebGPU runs on the software one, ${driver}.\n`);
  const { passed, compared } = await runParity(folder, provider, (line) => process.stdout.write(`${line}\n`));
  const verdict = passed ? 'All agree' : 'Not all agree';
  if (compared > 0) process.stdout.write(`${verdict} (${provider}, tier f32).\n`);
  process.exit(passed ? 0 : 1);
} catch (thrown) {
  const { message, hint } = asNpcVoiceError(thrown);
  process.stderr.write(`${message}${hint ? ` ${hint}` : ''}\n`);
  process.exit(1);
}
