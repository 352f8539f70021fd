import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { GraphBuilder, modelBytes, ops, weightBytes, writeModel } from '../../../sidecar/personaplex/onnx';

const folder = mkdtempSync(path.join(os.tmpdir(), 'npc-voice-onnx-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);

const bytesOf = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

/** y = x w + b, the rows of w read in two parts. */
function affine(parts: readonly (() => Promise<readonly Uint8Array[]>)[]): GraphBuilder {
  const graph = new GraphBuilder('affine');
  const x = graph.input('x', 'f32', ['batch', 2]);
  const [w] = graph.payload([{ name: 'w', type: 'f32', shape: [2, 3] }], parts);
  const [b] = graph.payload([{ name: 'b', type: 'f32', shape: [3] }], [async () => [bytesOf([10, 20, 30])]]);
  graph.output('y', ops.add(ops.matmul(x, w!), b!));
  return graph;
}
const inTwo = [async () => [bytesOf([1, 2, 3])], async () => [bytesOf([4, 5, 6])]];
const inOne = [async () => [bytesOf([1, 2, 3, 4, 5, 6])]];

async function run(model: string | Uint8Array): Promise<number[]> {
  const session = await (typeof model === 'string'
    ? InferenceSession.create(model)
    : InferenceSession.create(model));
  const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(1, 1, 0, 2), [2, 2]) });
  await session.release();
  return [...(y!.data as Float32Array)];
}

describe('model file', () => {
  it('runs, from disk with its weights beside it and from memory', async () => {
    await writeModel(affine(inTwo), at('a.onnx'));
    const expected = [15, 27, 39, 18, 30, 42];
    expect(await run(at('a.onnx'))).toEqual(expected);
    expect(await run(await modelBytes(affine(inTwo)))).toEqual(expected);
  });

  it('is the same bytes for the same weights, however they were read', async () => {
    await writeModel(affine(inTwo), at('same.onnx'));
    const first = [readFileSync(at('same.onnx')), readFileSync(at('same.onnx.data'))];
    await writeModel(affine(inOne), at('same.onnx'), { ahead: 4 });
    expect(Buffer.compare(readFileSync(at('same.onnx')), first[0]!)).toBe(0);
    expect(Buffer.compare(readFileSync(at('same.onnx.data')), first[1]!)).toBe(0);
  });

  it('places small weights on cache lines and large ones on pages', async () => {
    const graph = affine(inOne);
    const large = new Uint8Array(8192).fill(7);
    const [v] = graph.payload([{ name: 'v', type: 'u8', shape: [8192] }], [async () => [large]]);
    graph.output('z', ops.cast(v!, 'f32'));
    await writeModel(graph, at('aligned.onnx'));
    const data = readFileSync(at('aligned.onnx.data'));
    expect(data.length).toBe(4096 + 8192);
    expect(weightBytes(graph)).toBe(data.length);
    expect([...new Float32Array(data.buffer.slice(data.byteOffset + 64, data.byteOffset + 76))]).toEqual([
      10, 20, 30,
    ]);
    expect(Buffer.compare(data.subarray(4096), large)).toBe(0);
  });

  it('reads no further ahead than it is told', async () => {
    let [reading, most] = [0, 0];
    const part = async (): Promise<readonly Uint8Array[]> => {
      most = Math.max(most, ++reading);
      await new Promise((resolve) => setTimeout(resolve, 1));
      reading--;
      return [bytesOf([1])];
    };
    const graph = new GraphBuilder('g');
    const [w] = graph.payload(
      [{ name: 'w', type: 'f32', shape: [20] }],
      Array.from({ length: 20 }, () => part),
    );
    graph.output('y', ops.add(w!, w!));
    await writeModel(graph, at('ahead.onnx'), { ahead: 3 });
    expect(most).toBe(4);
  });

  it('refuses weights that are not as long as their shape', async () => {
    const short = affine([async () => [bytesOf([1, 2, 3, 4, 5])]]);
    await expect(writeModel(short, at('short.onnx'))).rejects.toThrow('w have 20 bytes, its shape says 24');
    const long = affine([async () => [bytesOf([1, 2, 3, 4, 5, 6, 7])]]);
    await expect(writeModel(long, at('long.onnx'))).rejects.toThrow('w are longer than its shape');
  });

  it('passes on why a weight could not be read, also one read ahead', async () => {
    const broken = affine([
      async () => [bytesOf([1, 2, 3])],
      () => Promise.reject(new Error('the disk is gone')),
    ]);
    await expect(writeModel(broken, at('broken.onnx'), { ahead: 2 })).rejects.toThrow('the disk is gone');
  });

  it('tells its progress to the last byte', async () => {
    const seen: number[] = [];
    await writeModel(affine(inTwo), at('progress.onnx'), { progress: (written) => seen.push(written) });
    expect(seen.at(-1)).toBe(statSync(at('progress.onnx.data')).size);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
  });
});
