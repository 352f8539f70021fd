import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  lmLayout,
  mimiLayout,
  planLanguageModel,
  planMimi,
  SafetensorsFile,
  type LmPlan,
} from '../../../sidecar/personaplex/checkpoint';
import { entries, fixtures, sharedFile, type TensorSpec } from './build';

/** The published checkpoint's dimensions, from which its 475 tensors follow. */
const personaplex = {
  dim: 4096, layers: 32, heads: 32, ffnHidden: 11264, card: 2048, textCard: 32000, audioStreams: 16,
  depthDim: 1024, depthLayers: 6, depthHeads: 16, depthFfnHidden: 2816, depthStepsStored: 16,
  context: 3000, maxPeriod: 10000,
}; // prettier-ignore
const mimi = {
  dim: 512, ratios: [8, 6, 5, 4], layers: 8, heads: 8, context: 250, maxPeriod: 10000, bins: 2048, codeDim: 256,
  filters: 64, hidden: 2048, acousticInCheckpoint: 31,
}; // prettier-ignore

const tensorsOf = (layout: Map<string, readonly number[]>): TensorSpec[] =>
  [...layout].map(([name, shape]) => ({ name, shape }));
const spoil = (change: (found: Map<string, TensorSpec>) => void): Map<string, TensorSpec> => {
  const found = new Map(tensorsOf(lmLayout(personaplex)).map((tensor) => [tensor.name, tensor]));
  change(found);
  return found;
};
const plan = (found: Map<string, TensorSpec>): LmPlan =>
  planLanguageModel('m.safetensors', entries(found.values()));

describe('the language model’s layout', () => {
  const full = plan(spoil(() => {}));

  it('is PersonaPlex’s, to the parameter', () => {
    expect(full.config).toEqual(personaplex);
    const layout = lmLayout(personaplex);
    expect(layout.size).toBe(475);
    const total = [...layout.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(total).toBe(8_371_408_896);
  });

  it('uses every tensor or says why it does not', () => {
    const whole = full.dropped.filter((tensor) => !tensor.rows);
    expect(full.tensors.size + whole.length).toBe(475);
    for (const { reason } of full.dropped) expect(reason).toMatch(/depth steps 8 to 15/);
    const used = [...full.tensors.values()].reduce((sum, t) => sum + t.shape.reduce((a, b) => a * b, 1), 0);
    expect(used).toBe(7_687_729_152);
  });

  it('takes the 8-step form, which is exactly what the 16-step form keeps', () => {
    const eight = plan(
      new Map(tensorsOf(lmLayout({ ...personaplex, depthStepsStored: 8 })).map((t) => [t.name, t])),
    );
    expect(eight.tensors.size).toBe(355);
    expect(eight.dropped).toEqual([]);
    expect([...eight.tensors.values()].map((t) => [t.name, t.shape])).toEqual(
      [...full.tensors.values()].map((t) => [t.name, t.shape]),
    );
  });

  it('takes projections that are split by step', () => {
    const split = spoil((found) => {
      for (const [name, { shape }] of [...found]) {
        const match = /^(.*self_attn\.)(in_proj_weight|out_proj\.weight)$/.exec(name);
        if (!match) continue;
        found.delete(name);
        const steps = name.startsWith('depformer') ? 16 : 1;
        for (let i = 0; i < steps; i++) {
          const part = `${match[1]}${match[2]!.startsWith('in') ? 'in_projs' : 'out_projs'}.${i}.weight`;
          found.set(part, { name: part, shape: [shape[0]! / steps, shape[1]!] });
        }
      }
    });
    const joined = plan(split);
    const tensor = joined.tensors.get('depformer.layers.3.self_attn.in_proj_weight')!;
    expect(tensor.shape).toEqual([8 * 3072, 1024]);
    expect(tensor.parts.map((part) => [part.entry.name, part.rows])).toEqual(
      Array.from({ length: 8 }, (_, i) => [`depformer.layers.3.self_attn.in_projs.${i}.weight`, 3072]),
    );
    expect(joined.tensors.size).toBe(full.tensors.size);
    const gap = 'depformer.layers.0.self_attn.in_projs.2.weight';
    split.delete(gap);
    expect(() => plan(split)).toThrow(/missing: depformer\.layers\.0\.self_attn\.in_proj_weight/);
  });

  it.each([
    ['missing', (f: Map<string, TensorSpec>) => void f.delete('out_norm.alpha'), /missing: out_norm\.alpha/],
    ['unknown', (f: Map<string, TensorSpec>) => void f.set('depformer_norms.0.alpha', { name: 'depformer_norms.0.alpha', shape: [1024] }), /not known to this model: depformer_norms\.0\.alpha/],
    ['misshapen', (f: Map<string, TensorSpec>) => void f.set('emb.3.weight', { name: 'emb.3.weight', shape: [2048, 4096] }), /wrong shape: emb\.3\.weight is \[2048, 4096\], not \[2049, 4096\]/],
    ['of integers', (f: Map<string, TensorSpec>) => void f.set('emb.3.weight', { name: 'emb.3.weight', shape: [2049, 4096], dtype: 'I8' }), /format that weights do not have: emb\.3\.weight \(I8\)/],
    ['swapped by name', (f: Map<string, TensorSpec>) => {
      const [a, b] = ['transformer.layers.0.gating.linear_in.weight', 'transformer.layers.5.self_attn.in_proj_weight'];
      const [x, y] = [f.get(a)!, f.get(b)!];
      f.set(a, { ...y, name: a }).set(b, { ...x, name: b });
    }, /linear_in\.weight is \[12288, 4096\], not \[22528, 4096\], .*in_proj_weight is \[22528, 4096\], not \[12288, 4096\]/],
    ['of another architecture', (f: Map<string, TensorSpec>) => f.clear(), /not a PersonaPlex or Moshi model/],
    ['with 12 depth steps', (f: Map<string, TensorSpec>) => { for (let i = 12; i < 16; i++) f.delete(`depformer_in.${i}.weight`); }, /12 depth steps/],
  ])('names what is %s', (_, change, reason) => {
    expect(() => plan(spoil(change))).toThrow(reason);
  }); // prettier-ignore

  it('is that of the tiny fixture, with the heads a config tells', () => {
    const file = SafetensorsFile.open(path.join(fixtures, 'tiny-lm.safetensors'));
    const tiny = planLanguageModel('tiny', file.tensors, { heads: 4, depthHeads: 2, context: 12 });
    expect(tiny.config).toMatchObject({
      dim: 64,
      layers: 2,
      heads: 4,
      ffnHidden: 176,
      depthFfnHidden: 88,
      context: 12,
    });
    expect(() => planLanguageModel('tiny', file.tensors, { heads: 5 })).toThrow(/do not divide into 5/);
    file.close();
  });
});

describe('the codec’s layout', () => {
  const found = new Map(tensorsOf(mimiLayout(mimi)).map((t) => [t.name, t]));

  it('is Mimi’s, to the parameter', () => {
    const layout = planMimi('c', entries(found.values()));
    expect(layout.config).toEqual(mimi);
    expect(found.size).toBe(318);
    const total = [...found.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(total).toBe(96_151_393);
    expect(layout.tensors.size).toBe(238);
    expect(layout.dropped).toHaveLength(80);
  });

  it('is known by its older names too', () => {
    const old = [...found.values()].map((tensor) => ({
      ...tensor,
      name: tensor.name
        .replace('_codebook._initialized', '_codebook.inited')
        .replace('cluster_usage', 'cluster_size')
        .replace('embedding_sum', 'embed_sum'),
    }));
    const layout = planMimi('c', entries(old));
    expect(layout.tensors.size).toBe(238);
    const codebook = layout.tensors.get('quantizer.rvq_first.vq.layers.0._codebook.embedding_sum')!;
    expect(codebook.parts[0]!.entry.name).toBe('quantizer.rvq_first.vq.layers.0._codebook.embed_sum');
    const twice = [...old, found.get('quantizer.rvq_first.vq.layers.0._codebook.cluster_usage')!];
    expect(() => planMimi('c', entries(twice))).toThrow(/cluster_usage twice/);
  });

  it('is that of the tiny fixture', () => {
    const file = SafetensorsFile.open(path.join(fixtures, 'tiny-mimi.safetensors'));
    expect(planMimi('tiny', file.tensors, { heads: 2 }).config).toMatchObject({
      dim: 16,
      filters: 4,
      bins: 32,
    });
    file.close();
  });
});

const manifest = sharedFile('personaplex-7b-v1-manifest.json');
describe.skipIf(!manifest)('the published manifest (skipped where ../shared/parity is absent)', () => {
  const read = (): { lm: TensorSpec[]; mimi: TensorSpec[] } => JSON.parse(readFileSync(manifest!, 'utf8'));

  it('is consumed whole', () => {
    const { lm, mimi: codec } = read();
    expect(lm.map((t) => [t.name, t.shape]).sort()).toEqual([...lmLayout(personaplex)].sort());
    expect(codec.map((t) => [t.name, t.shape]).sort()).toEqual([...mimiLayout(mimi)].sort());
    expect(planLanguageModel('m', entries(lm)).config).toEqual(personaplex);
    expect(planMimi('c', entries(codec)).config).toEqual(mimi);
  });
});
