/** What moves device buffers about, shared by the caches of one model. */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { buildCacheTools, deviceHeadSize, type CacheTools, type LmConfig } from '../graphs';
import { modelBytes } from '../onnx';
import { openSession, type SessionOptions } from './session';

type Shape4 = readonly [number, number, number, number];

export const int64 = (values: readonly number[], shape: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), shape);

/** Columns of one prefill pass where the GPU attends rightly over many, and where it does not. */
const LONG_RUN = 128;
const SHORT_RUN = 16;

export class DeviceTools {
  private constructor(
    readonly config: LmConfig,
    /** Most columns of one run. */
    readonly longestRun: number,
    readonly sessions: Readonly<Record<keyof CacheTools, InferenceSession>>,
  ) {}

  static async open(config: LmConfig, type: 'f32' | 'f16', options: SessionOptions): Promise<DeviceTools> {
    const tools = buildCacheTools(config.heads, deviceHeadSize(config), type);
    const open = async (name: keyof CacheTools, resident: boolean): Promise<InferenceSession> =>
      openSession(await modelBytes(tools[name]), { ...options, resident });
    const sessions = {
      zeros: await open('zeros', true),
      grow: await open('grow', true),
      pick: await open('pick', true),
      take: await open('take', true),
      put: await open('put', false),
      attend: await open('attend', false),
    };
    const tried = new DeviceTools(config, SHORT_RUN, sessions);
    return (await tried.#attendsOverMany()) ? new DeviceTools(config, LONG_RUN, sessions) : tried;
  }

  /** A tensor of zeros on the device, in the cache's type. */
  async zeros(shape: Shape4): Promise<Tensor> {
    return (await this.sessions.zeros.run({ shape: int64(shape, [4]) })).zeros as Tensor;
  }

  /** The first `kept` rows of a cache, and zeros behind them. */
  async grow(cache: Tensor, kept: number, added: Shape4): Promise<Tensor> {
    const sizes = { kept: int64([kept], [1]), added: int64(added, [4]) };
    return (await this.sessions.grow.run({ cache, ...sizes })).grown as Tensor;
  }

  /** A copy of those seats, in that order. */
  async pick(cache: Tensor, from: readonly number[]): Promise<Tensor> {
    return (await this.sessions.pick.run({ cache, from: int64(from, [from.length]) })).picked as Tensor;
  }

  /** A copy of a seat's rows [from, to). */
  async take(cache: Tensor, seat: number, from: number, to: number): Promise<Tensor> {
    const range = { from: int64([seat, from], [2]), to: int64([seat + 1, to], [2]) };
    return (await this.sessions.take.run({ cache, ...range })).taken as Tensor;
  }

  /** Writes rows to their slots, in place. */
  async put(cache: Tensor, slots: Tensor, rows: Tensor): Promise<void> {
    await this.sessions.put.run({ cache, slots, rows_in: rows }, { cache_out: cache });
  }

  async close(): Promise<void> {
    for (const session of Object.values(this.sessions)) await session.release();
  }

  /**
   * Tries attention over a long run. ONNX Runtime's shader for 32 columns and more assumes wide subgroups and is
   * quietly wrong on a GPU of narrow ones (a software GPU has four lanes). Queries of zeros weigh all rows alike: the
   * context of column t is the mean of the values 0..t, which is t/2 where row j holds j.
   */
  async #attendsOverMany(): Promise<boolean> {
    const { heads } = this.config;
    const size = deviceHeadSize(this.config);
    const width = heads * size;
    const steps = LONG_RUN;
    const shape = [1, steps, width];
    const past = await this.zeros([1, heads, steps, size]);
    const zeros = new Tensor('float32', new Float32Array(steps * width), shape);
    const rising = Float32Array.from({ length: steps * width }, (_, i) => Math.floor(i / width));
    const { context } = await this.sessions.attend.run({
      query: zeros,
      key: zeros,
      value: new Tensor('float32', rising, shape),
      past_key: past,
      past_value: past,
      last_row: new Tensor('int32', Int32Array.of(steps - 1), [1]),
      total_rows: new Tensor('int32', Int32Array.of(steps), [1]),
    });
    past.dispose();
    const values = context!.data as Float32Array;
    return values.every((value, i) => Math.abs(value - Math.floor(i / width) / 2) < 0.25);
  }
}
