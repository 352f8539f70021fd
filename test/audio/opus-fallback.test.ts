import Module from 'node:module';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createAudioDecoder,
  createAudioEncoder,
  FRAME_SAMPLES,
  initOpus,
  opusCodecName,
  opusReport,
} from '../../sidecar/audio';
import { concat, levelDb, packets, voiced } from './signals';

/** Node's loader, which CommonJS requires go through. */
const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
const load = loader._load;

beforeAll(async () => {
  loader._load = (request, ...rest) => {
    if (request === '@discordjs/opus') throw new Error('Cannot find module: it was never built');
    return load.call(Module, request, ...rest);
  };
  await initOpus();
});
afterAll(() => {
  loader._load = load;
});

it('without the native addon Opus is encoded in WebAssembly, one packet of 80 ms a frame', () => {
  expect(opusCodecName()).toBe('wasm');
  expect(opusReport().native).toMatchObject({ available: false, why: expect.stringMatching(/opus:native/) });
  const encoder = createAudioEncoder({ codec: 'opus', rate: 24_000, channels: 1 });
  const decoder = createAudioDecoder({ codec: 'opus', rate: 24_000, channels: 1 });
  const sent = voiced(20 * FRAME_SAMPLES);
  const heard = packets(sent, FRAME_SAMPLES).map((frame) => decoder.decode(encoder.encode(frame)).slice());
  for (const frame of heard) expect(frame).toHaveLength(FRAME_SAMPLES);
  expect(Math.abs(levelDb(concat(heard)) - levelDb(sent))).toBeLessThan(1.5);
  encoder.dispose();
});
