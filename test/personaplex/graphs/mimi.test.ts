import { describe, expect, it } from 'vitest';
import { mimiLayout, type MimiDimensions } from '../../../sidecar/personaplex/checkpoint';
import { buildMimiDecoder, buildMimiEncoder, type Provider } from '../../../sidecar/personaplex/graphs';
import { modelBytes } from '../../../sidecar/personaplex/onnx';
import { MimiDecoder, MimiEncoder, openMimi } from '../../../sidecar/personaplex/runtime';
import { largestError, uniform } from './models';
import { NaiveMimi } from './naive-mimi';
import { MemoryWeights, type MemoryTensor } from './weights';

const TINY: MimiDimensions = {
  dim: 8,
  filters: 2,
  ratios: [8, 6, 5, 4],
  layers: 1,
  heads: 2,
  hidden: 12,
  context: 9,
  maxPeriod: 10000,
  bins: 16,
  codeDim: 4,
  acousticInCheckpoint: 7,
};

function randomMimi(config: MimiDimensions, seed: number): MemoryWeights {
  const next = uniform(seed);
  const tensors = new Map<string, MemoryTensor>();
  for (const [name, shape] of mimiLayout(config)) {
    const fanIn = shape.slice(1).reduce((n, dim) => n * dim, 1);
    const isPositive = /usage|norm\d\.weight|scale$/.test(name);
    const value = (): number => (isPositive ? 1 + next() / 2 : next() * Math.sqrt(3 / fanIn));
    tensors.set(name, {
      shape,
      data: Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, value),
    });
  }
  return new MemoryWeights(tensors);
}

async function open(
  config: MimiDimensions,
  weights: MemoryWeights,
  streams: number,
  provider: Provider = 'cpu',
) {
  const sessions = await openMimi(
    {
      encoder: await modelBytes(buildMimiEncoder(config, weights, provider)),
      decoder: await modelBytes(buildMimiDecoder(config, weights, provider)),
    },
    { provider, threads: 1, cpuFallback: false },
  );
  return {
    encoder: new MimiEncoder(sessions.encoder, config, streams),
    decoder: new MimiDecoder(sessions.decoder, config, streams),
  };
}

const noise = (frames: number, seed: number): Float32Array => {
  const next = uniform(seed);
  return Float32Array.from({ length: frames * 1920 }, () => next() / 2);
};

describe('Mimi, frame by frame, against the codec written plainly over the whole signal', () => {
  const FRAMES = 7;
  it.each([
    ['two heads, an odd context', TINY],
    ['one head, two layers', { ...TINY, heads: 1, layers: 2, context: 12 }],
    ['other widths', { ...TINY, dim: 12, filters: 4, heads: 3, codeDim: 5, bins: 9, maxPeriod: 100 }],
  ])('%s', async (_, config) => {
    const weights = randomMimi(config, config.dim);
    const naive = new NaiveMimi(config, weights);
    const { encoder, decoder } = await open(config, weights, 1);
    const samples = noise(FRAMES, 2);
    const expected = naive.encode([...samples]);
    const audio: number[] = [];
    for (let frame = 0; frame < FRAMES; frame++) {
      const { codes, latents } = await encoder.encode(samples.slice(frame * 1920, (frame + 1) * 1920));
      expect(largestError(latents, expected.latents[frame]!)).toBeLessThan(1e-4);
      expect([...codes]).toEqual(expected.codes[frame]);
      audio.push(...(await decoder.decode(Int32Array.from(expected.codes[frame]!))));
    }
    expect(largestError(audio, naive.decode(expected.codes))).toBeLessThan(1e-4);
  });
});

describe('streams of a batch', () => {
  it('hear and speak what each would alone, reset and resting on their own', async () => {
    const weights = randomMimi(TINY, 3);
    const samples = [noise(8, 4), noise(8, 5)];
    const frameOf = (stream: number, frame: number): Float32Array =>
      samples[stream]!.slice(frame * 1920, (frame + 1) * 1920);
    const alone = await open(TINY, weights, 1);
    const expected: { codes: Int32Array; audio: Float32Array }[] = [];
    for (let frame = 0; frame < 8; frame++) {
      const { codes } = await alone.encoder.encode(frameOf(1, frame));
      expected.push({
        codes: Int32Array.from(codes),
        audio: Float32Array.from(await alone.decoder.decode(codes)),
      });
    }

    const both = await open(TINY, weights, 2);
    let heard = 0;
    for (let tick = 0; heard < 8; tick++) {
      // Stream 1 is reset after two frames of something else, and rests in every third tick.
      if (tick === 2) {
        both.encoder.reset(1);
        both.decoder.reset(1);
      }
      const moving = [true, tick < 2 || tick % 3 > 0];
      const second = tick < 2 ? frameOf(0, tick) : frameOf(1, heard);
      const { codes } = await both.encoder.encode(
        Float32Array.of(...frameOf(0, tick % 8), ...second),
        moving,
      );
      const audio = await both.decoder.decode(codes, moving);
      if (tick < 2 || !moving[1]) continue;
      expect([...codes.subarray(8)]).toEqual([...expected[heard]!.codes]);
      expect(largestError(audio.subarray(1920), expected[heard]!.audio)).toBeLessThan(1e-5);
      heard++;
    }
  });
});
