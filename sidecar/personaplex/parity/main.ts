/** `npm run -s parity -- <folder> [--ep cpu|webgpu]`: replays the reference's traces; ends with 1 when one disagrees. */
import { asNpcVoiceError } from '../../errors';
import type { Provider } from '../graphs';
import { useSoftwareGpu } from '../runtime';
import { runParity } from './run';

const USAGE = 'Usage: npm run -s parity -- <folder> [--ep cpu|webgpu]\n';

function parseArguments(args: readonly string[]): { folder: string; provider: Provider } | null {
  let folder: string | undefined;
  let provider: string | undefined = 'cpu';
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--ep') provider = args[++i];
    else if (arg.startsWith('--ep=')) provider = arg.slice('--ep='.length);
    else if (arg.startsWith('-') || folder !== undefined) return null;
    else folder = arg;
  }
  if (folder === undefined || (provider !== 'cpu' && provider !== 'webgpu')) return null;
  return { folder, provider };
}

const parsed = parseArguments(process.argv.slice(2));
if (!parsed) {
  process.stderr.write(USAGE);
  process.exit(2);
}
try {
  const { folder, provider } = parsed;
  const driver = provider === 'webgpu' ? useSoftwareGpu() : null;
  if (driver) process.stdout.write(`No GPU here: WebGPU runs on the software one, ${driver}.\n`);
  const { passed } = await runParity(folder, provider, (line) => process.stdout.write(`${line}\n`));
  process.stdout.write(
    passed ? `All agree (${provider}, tier f32).\n` : `Not all agree (${provider}, tier f32).\n`,
  );
  process.exit(passed ? 0 : 1);
} catch (thrown) {
  const { message, hint } = asNpcVoiceError(thrown);
  process.stderr.write(`${message}${hint ? ` ${hint}` : ''}\n`);
  process.exit(1);
}
