/** Replays Mimi's trace: latents and codes of the input, and the audio of the reference's own codes. */
import { NpcVoiceError } from '../../errors';
import { DEPTH_STEPS, frameSamples, type Provider } from '../graphs';
import { MimiDecoder, MimiEncoder, openMimi } from '../runtime';
import type { MimiTrace } from './fixtures';
import type { importCodec } from './models';
import { pairUp, Tally, type Scale, type TokenPair } from './tally';

/** @throws NpcVoiceError `unsupported` when the trace is not of whole frames of eight codes */
export async function replayCodec(
  files: Awaited<ReturnType<typeof importCodec>>,
  trace: MimiTrace,
  provider: Provider,
  name: string,
): Promise<Tally> {
  const samples = frameSamples(files.config);
  checkFrames(trace, samples);
  const tally = new Tally(name);
  const sessions = await openMimi(files, { provider, threads: 1, cpuFallback: false });
  const encoder = new MimiEncoder(sessions.encoder, files.config, 1);
  const decoder = new MimiDecoder(sessions.decoder, files.config, 1);
  const latentScale = scaleOf(trace.latents);
  const audioScale = scaleOf(trace.decoded);
  const pairs: TokenPair[] = [];
  for (const [frame, codes] of trace.codes.entries()) {
    const pcm = Float32Array.from(
      trace.input_pcm16.slice(frame * samples, (frame + 1) * samples),
      (s) => s / 32768,
    );
    const encoded = await encoder.encode(pcm);
    pairs.push(...pairUp(encoded.codes, codes, `codes[${frame}]`));
    tally.measure('latents', encoded.latents, trace.latents[frame]!, `latents[${frame}]`, latentScale);
    tally.measure('codes', encoded.codes, codes, `codes[${frame}]`);
    const decoded = await decoder.decode(Int32Array.from(codes));
    tally.measure('audio', decoded, trace.decoded[frame]!, `decoded[${frame}]`, audioScale);
  }
  tally.part('streaming', pairs);
  await sessions.encoder.release();
  await sessions.decoder.release();
  return tally;
}

function checkFrames({ config, codes, latents, decoded, input_pcm16 }: MimiTrace, samples: number): void {
  const refuse = (why: string): never => {
    throw new NpcVoiceError('unsupported', `The trace cannot be replayed: ${why}.`);
  };
  const books = config.num_codebooks ?? DEPTH_STEPS;
  if (books !== DEPTH_STEPS || codes.some((frame) => frame.length !== DEPTH_STEPS))
    refuse(
      `its frames have ${codes[0]?.length ?? books} codes, where the language model speaks ${DEPTH_STEPS}`,
    );
  if (input_pcm16.length !== codes.length * samples)
    refuse(`${input_pcm16.length} samples are not ${codes.length} frames of ${samples}`);
  if (latents.length !== codes.length || decoded.length !== codes.length)
    refuse(
      `it has ${codes.length} frames of codes, ${latents.length} of latents and ${decoded.length} of audio`,
    );
}

/** Decimals a trace may have been rounded to; with more, a float32 is as good as exact. */
const DECIMALS = [6, 7, 8];

function scaleOf(rows: readonly (readonly number[])[]): Scale {
  const isRounded = (decimals: number): boolean =>
    rows.every((row) =>
      row.every((value) => Math.abs(value * 10 ** decimals - Math.round(value * 10 ** decimals)) < 1e-3),
    );
  const decimals = DECIMALS.find(isRounded);
  return { peak: peakOf(rows), rounding: decimals === undefined ? 0 : 0.5 * 10 ** -decimals };
}

const peakOf = (rows: readonly (readonly number[])[]): number =>
  rows.reduce((peak, row) => row.reduce((p, value) => Math.max(p, Math.abs(value)), peak), 0) || 1;
