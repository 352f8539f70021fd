import fc from 'fast-check';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { fillGumbel } from '../../../sidecar/personaplex/generator';
import { DEPTH_STEPS, storagePlan, type LmConfig } from '../../../sidecar/personaplex/graphs';
import type { Draw, LanguageModel, Outlook } from '../../../sidecar/personaplex/runtime';
import { cosine, largestError, openModel, randomColumn, randomWeights, SMALL, uniform } from './models';
import { NaiveLm } from './naive-lm';
import { MemoryWeights, roundToBlocks } from './weights';

const floats = (tensor: Outlook['hidden']): Float32Array => tensor.data as Float32Array;

const greedy = (forcedText = -1, forcedAudio: readonly number[] = []): Draw => ({
  forcedText: Int32Array.of(forcedText),
  forcedAudio: Int32Array.from({ length: DEPTH_STEPS }, (_, k) => forcedAudio[k] ?? -1),
  text: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(1) },
  audio: { count: 1, sharpness: Float32Array.of(1), noise: new Float32Array(DEPTH_STEPS) },
});

const consumeOne = async (model: LanguageModel, columns: readonly Int32Array[]): Promise<Outlook[]> => {
  const cache = model.newCache(1);
  const outlooks: Outlook[] = [];
  for (const tokens of columns) outlooks.push(await model.consume(cache, { tokens, steps: 1 }, [true]));
  return outlooks;
};

const argMax = (values: readonly number[]): number => values.indexOf(Math.max(...values));

describe('temporal and depth graphs, against the model written plainly', () => {
  const dimensions = fc.record({
    heads: fc.constantFrom(1, 2, 3),
    headSize: fc.constantFrom(4, 8, 16),
    layers: fc.integer({ min: 1, max: 3 }),
    ffnHidden: fc.integer({ min: 3, max: 40 }),
    card: fc.integer({ min: 5, max: 40 }),
    textCard: fc.integer({ min: 5, max: 60 }),
    depthHeads: fc.constantFrom(1, 2),
    depthLayers: fc.integer({ min: 1, max: 2 }),
    depthStepsStored: fc.constantFrom(8, 16),
    context: fc.integer({ min: 3, max: 30 }),
    maxPeriod: fc.constantFrom(100, 10000),
    seed: fc.integer({ min: 1, max: 1e6 }),
  });

  it('agrees for any dimensions: hidden vectors, logits and every greedy token', async () => {
    await fc.assert(
      fc.asyncProperty(dimensions, async ({ headSize, seed, ...rest }) => {
        const config: LmConfig = {
          ...SMALL,
          ...rest,
          dim: rest.heads * headSize,
          depthDim: rest.depthHeads * 8,
          depthFfnHidden: 12,
        };
        const weights = randomWeights(config, seed);
        const naive = new NaiveLm(config, weights);
        const model = await openModel(config, weights);
        const next = uniform(seed);
        const columns = Array.from({ length: 12 }, () => randomColumn(config, next));
        for (const [i, outlook] of (await consumeOne(model, columns)).entries()) {
          const expected = naive.consume(columns[i]!);
          expect(largestError(floats(outlook.hidden), expected.hidden)).toBeLessThan(1e-4);
          expect(largestError(floats(outlook.textLogits), expected.textLogits)).toBeLessThan(1e-4);
          if (i % 4 > 0) continue;
          const { text, audio } = await model.draw(outlook, greedy());
          const logits = naive.depthLogits(expected.hidden, [
            text[0]!,
            ...audio.subarray(0, DEPTH_STEPS - 1),
          ]);
          const chosen = [expected.textLogits, ...logits].map(
            (own, k) => own[k === 0 ? text[0]! : audio[k - 1]!]!,
          );
          // Where two are as good as equal, either may be chosen.
          [expected.textLogits, ...logits].forEach((own, k) => {
            expect(own[argMax(own)]! - chosen[k]!).toBeLessThan(1e-4);
          });
        }
        await model.close();
      }),
      { numRuns: 8, seed: 20 },
    );
  });

  it('takes no input (-1) and given embeddings in place of tokens', async () => {
    const weights = randomWeights(SMALL);
    const model = await openModel(SMALL, weights);
    const tokens = randomColumn(SMALL, uniform(3));
    const [withTokens] = await consumeOne(model, [tokens]);
    const sum = new Float32Array(SMALL.dim);
    tokens.forEach((token, stream) => {
      const { data } = weights.tensors.get(stream === 0 ? 'text_emb.weight' : `emb.${stream - 1}.weight`)!;
      for (let i = 0; i < SMALL.dim; i++) sum[i]! += data[token * SMALL.dim + i]!;
    });
    const none = new Int32Array(tokens.length).fill(-1);
    const embedded = await model.consume(model.newCache(1), { tokens: none, steps: 1, embeddings: sum }, [
      true,
    ]);
    expect(largestError(floats(embedded.hidden), floats(withTokens!.hidden))).toBeLessThan(1e-5);
  });

  it('feeds forced tokens to the steps after, and says what it would have chosen', async () => {
    const weights = randomWeights(SMALL);
    const model = await openModel(SMALL, weights);
    const naive = new NaiveLm(SMALL, weights);
    const tokens = randomColumn(SMALL, uniform(4));
    const [outlook] = await consumeOne(model, [tokens]);
    const { hidden } = naive.consume(tokens);
    const forced = [3, -1, 7, 24, -1, -1, 0, -1];
    const drawn = await model.draw(outlook!, greedy(11, forced));
    expect(drawn.text).toEqual(Int32Array.of(11));
    forced.forEach((code, k) => code >= 0 && expect(drawn.audio[k]).toBe(code));
    const logits = naive.depthLogits(hidden, [11, ...drawn.audio.subarray(0, DEPTH_STEPS - 1)]);
    expect([...drawn.sampledAudio]).toEqual(logits.map(argMax));
  });

  it('prefills in one pass what it would step through, across passes of any length', async () => {
    const model = await openModel(SMALL, randomWeights(SMALL));
    const next = uniform(5);
    const columns = Array.from({ length: 50 }, () => randomColumn(SMALL, next));
    const stepped = await consumeOne(model, columns);
    for (const pass of [2, 7, 19]) {
      const cache = model.newCache(1);
      for (let from = 0; from < columns.length; from += pass) {
        const part = columns.slice(from, from + pass);
        const tokens = Int32Array.from(part.flatMap((column) => [...column]));
        const outlook = await model.consume(cache, { tokens, steps: part.length }, [true]);
        const expected = stepped[from + part.length - 1]!;
        expect(largestError(floats(outlook.hidden), floats(expected.hidden))).toBeLessThan(1e-5);
      }
    }
  });

  it('walks a past of several pages, and past the window’s end, as one', async () => {
    const config = { ...SMALL, dim: 8, heads: 1, layers: 1, ffnHidden: 8, context: 2100 };
    const weights = randomWeights(config, 6);
    const model = await openModel(config, weights);
    const next = uniform(6);
    const columns = Array.from({ length: 2200 }, () => randomColumn(config, next));
    const cache = model.newCache(1);
    let outlook: Outlook | undefined;
    for (let from = 0; from < columns.length; from += 550) {
      const tokens = Int32Array.from(columns.slice(from, from + 550).flatMap((column) => [...column]));
      outlook = await model.consume(cache, { tokens, steps: 550 }, [true]);
    }
    const naive = new NaiveLm(config, weights);
    const expected = columns.map((column) => naive.consume(column)).at(-1)!;
    expect(largestError(floats(outlook!.hidden), expected.hidden)).toBeLessThan(1e-4);
  }, 60_000);
});

describe('seats of a batch', () => {
  it('compute what each would compute alone, at positions of their own', async () => {
    const model = await openModel(SMALL, randomWeights(SMALL));
    const next = uniform(7);
    const own = [30, 9, 17].map((count) => Array.from({ length: count }, () => randomColumn(SMALL, next)));
    const alone = await Promise.all(own.map((columns) => consumeOne(model, columns)));
    const cache = model.newCache(3);
    const none = new Int32Array(1 + SMALL.audioStreams).fill(-1);
    // Seats start late and rest at times.
    const done = [0, 0, 0];
    for (let tick = 0; tick < 60; tick++) {
      const moving = own.map(
        (columns, seat) => done[seat]! < columns.length && tick >= 4 * seat && tick % (seat + 2) > 0,
      );
      if (!moving.includes(true)) continue;
      const tokens = Int32Array.from(
        own.flatMap((columns, seat) => [...(moving[seat] ? columns[done[seat]!]! : none)]),
      );
      const outlook = await model.consume(cache, { tokens, steps: 1 }, moving);
      moving.forEach((moves, seat) => {
        if (!moves) return;
        const hidden = floats(outlook.hidden).subarray(seat * SMALL.dim, (seat + 1) * SMALL.dim);
        expect(largestError(hidden, floats(alone[seat]![done[seat]!]!.hidden))).toBeLessThan(1e-5);
        done[seat]!++;
      });
    }
    expect(done).toEqual([30, 9, 17]);
    expect([...cache.positions]).toEqual(done);
  });

  it('go on from a snapshot as if they had been there', async () => {
    const model = await openModel(SMALL, randomWeights(SMALL));
    const next = uniform(8);
    for (const count of [5, 45]) {
      const columns = Array.from({ length: count + 1 }, () => randomColumn(SMALL, next));
      const expected = (await consumeOne(model, columns)).at(-1)!;
      const first = model.newCache(1);
      for (const tokens of columns.slice(0, -1)) await model.consume(first, { tokens, steps: 1 }, [true]);
      const cache = model.newCache(2);
      await cache.restore(1, await first.snapshot(0));
      const tokens = Int32Array.from([...columns.at(-1)!, ...columns.at(-1)!]);
      const outlook = await model.consume(cache, { tokens, steps: 1 }, [false, true]);
      expect(largestError(floats(outlook.hidden).subarray(SMALL.dim), floats(expected.hidden))).toBeLessThan(
        1e-5,
      );
    }
  });
});

describe('tiers', () => {
  const config = { ...SMALL, dim: 128, heads: 2, ffnHidden: 128, depthDim: 128, depthFfnHidden: 256 };
  const weights = randomWeights(config, 9);
  const next = uniform(9);
  const columns = Array.from({ length: 8 }, () => randomColumn(config, next));

  /** Weights as a tier holds them. */
  const rounded = (tier: 'q8' | 'q4'): MemoryWeights =>
    new MemoryWeights(
      new Map(
        [...weights.tensors].map(([name, { shape, data }]) => {
          if (name.endsWith('alpha')) return [name, { shape, data }];
          const width = shape.at(-1)!;
          const role = /emb/.test(name) ? 'embedding' : name.startsWith('transformer') ? 'temporal' : 'depth';
          const format = storagePlan(tier, 'cpu').storage(role, width);
          if (format.kind !== 'blocks') throw new Error(`${tier} has ${name} as ${format.kind}`);
          const { bits, blockSize } = format;
          const { packed, scales, zeroPoints } = roundToBlocks(data, width, format);
          const integer = (bytes: Uint8Array, i: number): number =>
            bits === 8 ? bytes[i]! : (bytes[i >> 1]! >> (4 * (i & 1))) & 15;
          const blocks = width / blockSize;
          const zerosPerRow = bits === 8 ? blocks : Math.ceil(blocks / 2) * 2;
          const values = data.map((_, i) => {
            const [row, block] = [Math.floor(i / width), Math.floor((i % width) / blockSize)];
            const zero = zeroPoints ? integer(zeroPoints, row * zerosPerRow + block) : 2 ** (bits - 1);
            return (integer(packed, i) - zero) * scales[row * blocks + block]!;
          });
          return [name, { shape, data: values }];
        }),
      ),
    );

  it.each(['q8', 'q4'] as const)('%s computes what its rounded weights say', async (tier) => {
    const exact = await consumeOne(await openModel(config, rounded(tier)), columns);
    const ours = await consumeOne(await openModel(config, weights, { tier }), columns);
    // The kernels round activations to eight bits on the way.
    ours.forEach(({ hidden }, i) =>
      expect(cosine(floats(hidden), floats(exact[i]!.hidden))).toBeGreaterThan(0.999),
    );
  });

  it.each(['f16', 'q8', 'mixed', 'q4'] as const)('%s stays near float32', async (tier) => {
    const exact = await consumeOne(await openModel(config, weights), columns);
    const model = await openModel(config, weights, { tier });
    const ours = await consumeOne(model, columns);
    const least = { f16: 0.99999, q8: 0.999, mixed: 0.95, q4: 0.95 }[tier];
    ours.forEach(({ hidden }, i) =>
      expect(cosine(floats(hidden), floats(exact[i]!.hidden))).toBeGreaterThan(least),
    );
    const { audio } = await model.draw(ours[0]!, greedy());
    expect(audio.every((code) => code >= 0 && code < config.card)).toBe(true);
  });
});

describe('sampling inside the depth graph', () => {
  it('draws as softmax over the top k at a temperature does', async () => {
    const weights = randomWeights(SMALL);
    const model = await openModel(SMALL, weights);
    const tokens = randomColumn(SMALL, uniform(11));
    const [outlook] = await consumeOne(model, [tokens]);
    const [temperature, topK, seats, rounds] = [0.7, 6, 200, 20];
    // The same outlook for many seats, each with noise of its own.
    const repeat = (tensor: Outlook['hidden'], width: number): Outlook['hidden'] =>
      new Tensor(
        'float32',
        Float32Array.from({ length: seats * width }, (_, i) => floats(tensor)[i % width]!),
        [seats, width],
      );
    const many = {
      hidden: repeat(outlook!.hidden, SMALL.dim),
      textLogits: repeat(outlook!.textLogits, SMALL.textCard),
    };
    const counts = new Map<number, number>();
    for (let round = 0; round < rounds; round++) {
      // Two candidates more than wanted, closed by -infinity.
      const noise = new Float32Array(seats * (topK + 2)).fill(-Infinity);
      for (let seat = 0; seat < seats; seat++)
        fillGumbel(noise, seat * (topK + 2), topK, 77, round * seats + seat, 0);
      const { text } = await model.draw(many, {
        forcedText: new Int32Array(seats).fill(-1),
        forcedAudio: new Int32Array(seats * DEPTH_STEPS).fill(-1),
        text: { count: topK + 2, sharpness: new Float32Array(seats).fill(1 / temperature), noise },
        audio: {
          count: 1,
          sharpness: new Float32Array(seats).fill(1),
          noise: new Float32Array(seats * DEPTH_STEPS),
        },
      });
      for (const token of text) counts.set(token, (counts.get(token) ?? 0) + 1);
    }
    const logits = [...floats(outlook!.textLogits)];
    const top = logits.map((logit, id) => ({ id, weight: Math.exp(logit / temperature) }));
    top.sort((a, b) => b.weight - a.weight).splice(topK);
    const total = top.reduce((sum, { weight }) => sum + weight, 0);
    expect([...counts.keys()].every((id) => top.some((candidate) => candidate.id === id))).toBe(true);
    const draws = seats * rounds;
    for (const { id, weight } of top) {
      const p = weight / total;
      const deviation = Math.sqrt((p * (1 - p)) / draws);
      expect(Math.abs((counts.get(id) ?? 0) / draws - p)).toBeLessThan(4 * deviation);
    }
  });
});
