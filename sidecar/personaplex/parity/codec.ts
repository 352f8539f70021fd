/** Replays Mimi's trace: latents and codes of the input, and the audio of the reference's own codes. */
import type { Provider } from '../graphs';
import { MimiDecoder, MimiEncoder, openMimi } from '../runtime';
import type { MimiTrace } from './fixtures';
import type { importCodec } from './models';
import { Tally } from './tally';

export async function replayCodec(
  files: Awaited<ReturnType<typeof importCodec>>,
  trace: MimiTrace,
  provider: Provider,
  name: string,
): Promise<Tally> {
  const tally = new Tally(name);
  const sessions = await openMimi(files, { provider, threads: 1, cpuFallback: false });
  const encoder = new MimiEncoder(sessions.encoder, files.config, 1);
  const decoder = new MimiDecoder(sessions.decoder, files.config, 1);
  const frames = trace.codes.length;
  const samples = trace.input_pcm16.length / frames;
  const latentPeak = peakOf(trace.latents);
  const audioPeak = peakOf(trace.decoded);
  const pairs: [number, number][] = [];
  for (let frame = 0; frame < frames; frame++) {
    const pcm = Float32Array.from(
      trace.input_pcm16.slice(frame * samples, (frame + 1) * samples),
      (s) => s / 32768,
    );
    const encoded = await encoder.encode(pcm);
    trace.codes[frame]!.forEach((code, k) => pairs.push([encoded.codes[k]!, code]));
    tally.measure('latents', encoded.latents, trace.latents[frame]!, latentPeak);
    const decoded = await decoder.decode(Int32Array.from(trace.codes[frame]!));
    tally.measure('audio', decoded, trace.decoded[frame]!, audioPeak);
  }
  tally.part('streaming', pairs);
  await sessions.encoder.release();
  await sessions.decoder.release();
  return tally;
}

const peakOf = (rows: readonly (readonly number[])[]): number =>
  rows.reduce((peak, row) => row.reduce((p, value) => Math.max(p, Math.abs(value)), peak), 0) || 1;
