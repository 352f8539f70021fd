/**
 * Silero VAD v6 (https://github.com/snakers4/silero-vad, MIT) on ONNX Runtime, many listeners at once.
 * One window: input [B, 64 + 512] at 16 kHz, state [2, B, 128] → speech probability [B, 1], state.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { VAD_RATE, WINDOW_SAMPLES } from './shared';

export const CONTEXT_SAMPLES = 64;
export const INPUT_SAMPLES = CONTEXT_SAMPLES + WINDOW_SAMPLES;
const LAYERS = 2;
const WIDTH = 128;
/** Floats of one listener's state. */
export const STATE_FLOATS = LAYERS * WIDTH;

/** Everything one batch size needs, made once. */
interface Batch {
  input: Float32Array;
  state: Float32Array;
  probability: Float32Array;
  nextState: Float32Array;
  feeds: InferenceSession.FeedsType;
  fetches: InferenceSession.FetchesType;
}

export class Silero {
  readonly #session: InferenceSession;
  readonly #batches = new Map<number, Batch>();
  readonly #rate = new Tensor('int64', BigInt64Array.of(BigInt(VAD_RATE)), []);

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  static async load(file: string): Promise<Silero> {
    const session = await InferenceSession.create(file, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 3,
    });
    return new Silero(session);
  }

  /** The arrays to fill for `size` listeners before `run(size)`: input rows, and states laid out [2, size, 128]. */
  batch(size: number): Pick<Batch, 'input' | 'state' | 'probability' | 'nextState'> {
    let batch = this.#batches.get(size);
    if (!batch) {
      const input = new Float32Array(size * INPUT_SAMPLES);
      const state = new Float32Array(size * STATE_FLOATS);
      const probability = new Float32Array(size);
      const nextState = new Float32Array(size * STATE_FLOATS);
      const stateShape = [LAYERS, size, WIDTH];
      batch = {
        input,
        state,
        probability,
        nextState,
        feeds: {
          input: new Tensor('float32', input, [size, INPUT_SAMPLES]),
          state: new Tensor('float32', state, stateShape),
          sr: this.#rate,
        },
        fetches: {
          output: new Tensor('float32', probability, [size, 1]),
          stateN: new Tensor('float32', nextState, stateShape),
        },
      };
      this.#batches.set(size, batch);
    }
    return batch;
  }

  /** Fills `probability` and `nextState` of that batch. */
  async run(size: number): Promise<void> {
    const { feeds, fetches } = this.#batches.get(size)!;
    await this.#session.run(feeds, fetches);
  }

  /** Copies one listener's state in or out of a batch. */
  static readState(from: Float32Array, size: number, row: number, to: Float32Array): void {
    for (let layer = 0; layer < LAYERS; layer++) {
      const at = (layer * size + row) * WIDTH;
      to.set(from.subarray(at, at + WIDTH), layer * WIDTH);
    }
  }
  static writeState(to: Float32Array, size: number, row: number, from: Float32Array): void {
    for (let layer = 0; layer < LAYERS; layer++) {
      to.set(from.subarray(layer * WIDTH, (layer + 1) * WIDTH), (layer * size + row) * WIDTH);
    }
  }
}
