import path from 'node:path';
import { mimiLayout } from '../../../sidecar/personaplex/checkpoint';
import { buildMimiDecoder, buildMimiEncoder, DEPTH_STEPS } from '../../../sidecar/personaplex/graphs';
import { MIMI } from '../../../sidecar/personaplex/import';
import { writeModel } from '../../../sidecar/personaplex/onnx';
import { MimiDecoder, MimiEncoder, openMimi } from '../../../sidecar/personaplex/runtime';
import { percentile, type BenchReport } from '../report';
import { inFolder, timed } from './model';
import { RandomWeights } from './random-weights';

/** A frame through the codec on one core. */
export async function benchMimi(): Promise<BenchReport> {
  return inFolder(async (folder) => {
    const weights = new RandomWeights(mimiLayout(MIMI));
    const files = { encoder: path.join(folder, 'encoder.onnx'), decoder: path.join(folder, 'decoder.onnx') };
    await writeModel(buildMimiEncoder(MIMI, weights), files.encoder);
    await writeModel(buildMimiDecoder(MIMI, weights), files.decoder);
    const sessions = await openMimi(files, { provider: 'cpu', threads: 1 });
    const encoder = new MimiEncoder(sessions.encoder, MIMI, 1);
    const decoder = new MimiDecoder(sessions.decoder, MIMI, 1);
    const samples = Float32Array.from({ length: 1920 }, (_, i) => Math.sin(i / 20) / 4);
    const [encode, decode]: [number[], number[]] = [[], []];
    // Past the transformers' ten seconds, when their rings are full.
    for (let frame = 0; frame < 200; frame++) {
      let codes = new Int32Array(DEPTH_STEPS);
      const encoding = await timed(
        async () => (codes = Int32Array.from((await encoder.encode(samples)).codes)),
      );
      const decoding = await timed(() => decoder.decode(codes));
      if (frame < 130) continue;
      encode.push(encoding);
      decode.push(decoding);
    }
    await sessions.encoder.release();
    await sessions.decoder.release();
    const both = encode.map((time, i) => time + decode[i]!);
    return {
      title: 'Mimi: a frame of 80 ms through the codec',
      how: 'full size, random weights, one thread, 70 frames after the rings are full',
      rows: [
        { what: 'encode, p50', value: percentile(encode, 0.5), unit: 'ms' },
        { what: 'decode, p50', value: percentile(decode, 0.5), unit: 'ms' },
        { what: 'both, p50', value: percentile(both, 0.5), unit: 'ms', limit: 40, note: `best ${Math.min(...both).toFixed(1)} ms` },
      ],
    }; // prettier-ignore
  });
}
