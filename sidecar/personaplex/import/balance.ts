/**
 * An equal network that rounds better. A channel between two layers may be made smaller where it is made and larger
 * where it is read without changing what the network computes. Neighbouring channels share one step when they are
 * rounded, in weights and in the activations that the kernels round: an outlier on either side costs its neighbours
 * their precision. So each channel's size is shared out evenly between the two sides: made / s and read · s with
 * s = sqrt(made / read). After Xiao et al., "SmoothQuant", arXiv 2211.10438, equation 4 with α = ½; where they measure
 * activations on recordings, the sizes here follow from the weights.
 *
 * Three kinds of channels can be shared out: behind a norm (RMSNorm makes every channel of unit mean square, its gains
 * are what differs), attention's values (which are only averaged), and the multiplying half of a gated feed-forward
 * block.
 */
import { elementCount } from '../checkpoint';
import { DEPTH_STEPS, type LmConfig } from '../graphs/types';

/** Rows [from, to) of a matrix. */
interface Rows {
  name: string;
  from: number;
  to: number;
}

/** Channels, where they are made and where they are read. */
interface Joint {
  /** A norm whose gains make them, or matrices of which each makes all of them, one a row. */
  made: { gains: string } | { rows: readonly Rows[]; gates: readonly Rows[] };
  /** Matrices whose columns read them. */
  readers: readonly string[];
  /** Whether others see them too, so that they have to stay as they are. */
  isSeen?: true;
}

/** What is multiplied into a tensor: one factor for each row or column, or none. */
export interface Factors {
  rows: Float32Array | null;
  columns: Float32Array | null;
}

/** Sums of squares of a matrix. */
export interface Sizes {
  /** Of each row, its values weighted by column. */
  rows: Float64Array;
  /** Of each column. */
  columns: Float64Array;
}

/** The checkpoint as it is. */
export interface Unbalanced {
  shapeOf(name: string): readonly number[] | undefined;
  vector(name: string): Promise<Float32Array>;
  /** @param columnWeights one for each column; multiplied into values before rows are summed */
  sizes(name: string, columnWeights: Float32Array): Promise<Sizes>;
}

/** No channel is moved further than this: a dead one would be moved without end. */
const MOST = 64;
/** The least weight of a column's error relative to the mean: no column's error is free. */
const LEAST_IMPORTANCE = 1e-3;

function jointsOf({ dim, layers, ffnHidden, depthDim, depthLayers, depthFfnHidden }: LmConfig): Joint[] {
  const steps = Array.from({ length: DEPTH_STEPS }, (_, step) => step);
  const joints: Joint[] = [];
  const behindNorm = (gains: string, ...readers: string[]): void => {
    joints.push({ made: { gains }, readers });
  };
  const values = (at: string, width: number, stacked: readonly number[]): void => {
    const name = `${at}.self_attn.in_proj_weight`;
    const rows = stacked.map((k) => ({ name, from: (3 * k + 2) * width, to: (3 * k + 3) * width }));
    joints.push({ made: { rows, gates: [] }, readers: [`${at}.self_attn.out_proj.weight`] });
  };
  const products = (at: string, width: number): void => {
    const name = `${at}.linear_in.weight`;
    const rows = [{ name, from: width, to: 2 * width }];
    const gates = [{ name, from: 0, to: width }];
    joints.push({ made: { rows, gates }, readers: [`${at}.linear_out.weight`] });
  };
  for (let layer = 0; layer < layers; layer++) {
    const at = `transformer.layers.${layer}`;
    behindNorm(`${at}.norm1.alpha`, `${at}.self_attn.in_proj_weight`);
    behindNorm(`${at}.norm2.alpha`, `${at}.gating.linear_in.weight`);
    values(at, dim, [0]);
    products(`${at}.gating`, ffnHidden);
  }
  for (let layer = 0; layer < depthLayers; layer++) {
    const at = `depformer.layers.${layer}`;
    const gating = steps.map((k) => `${at}.gating.${k}`);
    // All steps share the norms, and see each other's values.
    behindNorm(`${at}.norm1.alpha`, `${at}.self_attn.in_proj_weight`);
    behindNorm(`${at}.norm2.alpha`, ...gating.map((own) => `${own}.linear_in.weight`));
    values(at, depthDim, steps);
    for (const own of gating) products(own, depthFfnHidden);
  }
  // The hidden vector itself is an output.
  const heads = ['text_linear.weight', ...steps.map((k) => `depformer_in.${k}.weight`)];
  joints.push({ made: { gains: 'out_norm.alpha' }, readers: heads, isSeen: true });
  return joints;
}

/** Knows of each tensor what to multiply into it, and how much its columns matter. */
export class Balance {
  private readonly making = new Map<string, Joint[]>();
  private readonly reading = new Map<string, Joint>();
  private readonly made = new Map<Joint, Promise<Float64Array>>();
  private readonly factors = new Map<Joint, Promise<Float32Array>>();
  private readonly sizes = new Map<string, Promise<Sizes>>();

  constructor(
    config: LmConfig,
    private readonly checkpoint: Unbalanced,
  ) {
    for (const joint of jointsOf(config)) {
      const { made, readers } = joint;
      const makers = 'gains' in made ? [made.gains] : made.rows.map(({ name }) => name);
      for (const name of new Set(makers)) this.making.set(name, [...(this.making.get(name) ?? []), joint]);
      for (const name of readers) this.reading.set(name, joint);
    }
  }

  /** What to multiply into a tensor. */
  async factorsOf(name: string): Promise<Factors> {
    const read = this.reading.get(name);
    const factors: Factors = { rows: null, columns: read && !read.isSeen ? await this.shares(read) : null };
    for (const joint of this.making.get(name) ?? []) {
      if (joint.isSeen) continue;
      const shares = (await this.shares(joint)).map((share) => 1 / share);
      // A norm's gains are one row of as many columns.
      if ('gains' in joint.made) factors.columns = shares;
      else {
        factors.rows ??= new Float32Array(this.checkpoint.shapeOf(name)![0]!).fill(1);
        for (const rows of joint.made.rows) if (rows.name === name) factors.rows.set(shares, rows.from);
      }
    }
    return factors;
  }

  /**
   * How much an error in each column of a (balanced) matrix matters: the mean square of the channel it reads, relative
   * to their mean; null where nothing is known of it.
   */
  async importanceOf(name: string): Promise<Float32Array | null> {
    const joint = this.reading.get(name);
    if (!joint) return null;
    const shares = joint.isSeen ? null : await this.shares(joint);
    const read = (await this.sizesMade(joint)).map((size, c) => (shares ? size / shares[c]! ** 2 : size));
    const mean = read.reduce((sum, size) => sum + size, 0) / read.length || 1;
    return Float32Array.from(read, (size) => Math.max(LEAST_IMPORTANCE, size / mean));
  }

  /** s of each channel. */
  private shares(joint: Joint): Promise<Float32Array> {
    return once(this.factors, joint, async () => {
      const made = await this.sizesMade(joint);
      const read = new Float64Array(made.length);
      for (const name of joint.readers)
        (await this.sizesOf(name)).columns.forEach((size, c) => (read[c]! += size));
      // Squares of sizes: the square root of their ratio is a fourth root here. A dead channel stays as it is.
      const logs = made.map((size, c) => Math.log(size / read[c]!) / 4);
      const live = logs.filter(Number.isFinite);
      // Of either side the whole stays as large as it is.
      const level = live.reduce((sum, log) => sum + log, 0) / Math.max(1, live.length);
      return Float32Array.from(logs, (log) =>
        Number.isFinite(log) ? Math.min(MOST, Math.max(1 / MOST, Math.exp(log - level))) : 1,
      );
    });
  }

  /** Mean squares of the channels where they are made, up to a factor they share. */
  private sizesMade(joint: Joint): Promise<Float64Array> {
    return once(this.made, joint, async () => {
      const { made } = joint;
      if ('gains' in made)
        return Float64Array.from(await this.checkpoint.vector(made.gains), (gain) => gain * gain);
      const sizes = new Float64Array(made.rows[0]!.to - made.rows[0]!.from);
      const each = async (of: readonly Rows[], work: (size: number, c: number) => void): Promise<void> => {
        for (const { name, from, to } of of) (await this.sizesOf(name)).rows.subarray(from, to).forEach(work);
      };
      await each(made.rows, (size, c) => (sizes[c]! += size));
      // silu(g) · u grows about as g · u does.
      await each(made.gates, (size, c) => (sizes[c]! *= size));
      return sizes;
    });
  }

  /** Sizes of a matrix, its rows as they answer to what its columns read behind a norm. */
  private sizesOf(name: string): Promise<Sizes> {
    return once(this.sizes, name, async () => {
      const made = this.reading.get(name)?.made;
      const columns = elementCount(this.checkpoint.shapeOf(name)!.slice(1));
      const gains =
        made && 'gains' in made
          ? await this.checkpoint.vector(made.gains)
          : new Float32Array(columns).fill(1);
      return this.checkpoint.sizes(name, gains);
    });
  }
}

/** What was found out before, or is being found out. */
function once<K, V>(known: Map<K, Promise<V>>, key: K, find: () => Promise<V>): Promise<V> {
  let value = known.get(key);
  if (!value) known.set(key, (value = find()));
  return value;
}
