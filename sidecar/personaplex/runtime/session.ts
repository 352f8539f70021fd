/** ONNX Runtime sessions: which provider, how many threads, and what to say when one cannot be made. */
import { availableParallelism } from 'node:os';
import { InferenceSession } from 'onnxruntime-node';
import { NpcVoiceError } from '../../errors';
import type { Provider } from '../graphs/types';
import { reasonOf } from './reason';

export interface SessionOptions {
  provider: Provider;
  /** Threads of one run on the CPU; 0: one for each core. */
  threads?: number;
  /** Let ONNX Runtime put nodes that WebGPU cannot run on the CPU. Tests forbid it. Default true. */
  cpuFallback?: boolean;
  /**
   * WebGPU: outputs are new buffers on the device. Without it they come back to the host, except those for which a
   * run is given a device buffer; with it, ONNX Runtime's binding ignores such buffers.
   */
  resident?: boolean;
  /** Keep ONNX Runtime from printing failures that the caller expects. */
  quiet?: boolean;
}

/**
 * Opens a model.
 * @param model a file path, or a whole model in memory
 * @throws NpcVoiceError `model_unavailable`
 */
export async function openSession(
  model: string | Uint8Array,
  options: SessionOptions,
): Promise<InferenceSession> {
  const { provider, threads = 0, cpuFallback = true, resident = false } = options;
  const settings: InferenceSession.SessionOptions = {
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: threads > 0 ? threads : availableParallelism(),
    interOpNumThreads: 1,
    logSeverityLevel: options.quiet ? 4 : 3,
    extra: {
      session: {
        // Threads that spin between frames would take the game's cores.
        force_spinning_stop: '1',
        ...(provider === 'webgpu' && !cpuFallback ? { disable_cpu_ep_fallback: '1' } : {}),
      },
    },
  };
  if (resident) settings.preferredOutputLocation = 'gpu-buffer';
  try {
    return typeof model === 'string'
      ? await InferenceSession.create(model, settings)
      : await InferenceSession.create(model, settings);
  } catch (cause) {
    const where = provider === 'webgpu' ? 'the GPU (WebGPU)' : 'the CPU';
    throw new NpcVoiceError(
      'model_unavailable',
      `A model graph could not be loaded on ${where}: ${reasonOf((cause as Error).message)}.`,
      {
        hint:
          provider === 'webgpu'
            ? 'Check the graphics driver with `npc-voice doctor`, or install or import the model again with --provider cpu.'
            : 'Check the model files with `npc-voice model verify`.',
        cause,
      },
    );
  }
}
