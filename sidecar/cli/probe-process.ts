/**
 * A process of its own (a GPU driver may take it down) that runs one small graph on one execution provider and
 * prints the outcome as a line of JSON. `argv[2]` is the provider.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { GraphBuilder, ops, writeModel } from '../personaplex/onnx';
import { computesHalves } from '../personaplex/runtime/halves';
import { reasonOf } from '../personaplex/runtime/reason';
import type { Probed } from './probe';

const inWords = (failure: string): string =>
  /No supported adapters/.test(failure) ? 'finds no GPU' : `fails: ${reasonOf(failure)}`;

const tell = (probed: Probed): void => void process.stdout.write(`${JSON.stringify(probed)}\n`);

const provider = process.argv[2] ?? 'cpu';
const dir = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-probe-'));
try {
  const graph = new GraphBuilder('probe');
  const x = graph.input('x', 'f32', [1, 2]);
  const w = graph.input('w', 'f32', [2, 2]);
  graph.output('y', ops.softmax(ops.matmul(x, w)));
  const file = path.join(dir, 'probe.onnx');
  await writeModel(graph, file);
  const session = await InferenceSession.create(file, {
    executionProviders: [provider],
    // Without this a provider that takes nothing would seem to work.
    ...(provider === 'cpu' ? {} : { extra: { session: { disable_cpu_ep_fallback: '1' } } }),
  });
  const { y } = await session.run({
    x: new Tensor('float32', Float32Array.of(1, 2), [1, 2]),
    w: new Tensor('float32', Float32Array.of(0, 1, 0, 1), [2, 2]),
  });
  const [, second] = y!.data as Float32Array;
  // softmax(0, 3)[1]
  const right = Math.abs(second! - 1 / (1 + Math.exp(-3))) < 1e-3;
  tell({
    ok: right,
    says: right ? 'computes' : `computed ${second}`,
    ...(right && provider === 'webgpu' ? { halves: await computesHalves() } : {}),
  });
} catch (thrown) {
  tell({ ok: false, says: inWords(thrown instanceof Error ? thrown.message : String(thrown)) });
} finally {
  await rm(dir, { recursive: true, force: true });
}
