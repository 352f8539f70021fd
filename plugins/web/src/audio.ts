/** The page's audio: one context at the device's own rate, and the worklet loaded into it once. */
import { VoiceError } from './errors';

/** The worklet's bundled source, put here by the build; absent where the worklet is served as a file. */
declare const NPC_VOICE_WORKLET_SOURCE: string | undefined;

const loaded = new WeakMap<BaseAudioContext, Promise<void>>();

/**
 * Loads the worklet into `context`, once. Without `url` it comes from inside the bundle as a `blob:`; a page
 * whose content security policy forbids that serves `worklet.js` and names it.
 */
export function loadWorklet(context: BaseAudioContext, url?: string | URL): Promise<void> {
  let loading = loaded.get(context);
  if (!loading) {
    loading = addModule(context, url);
    loaded.set(context, loading);
    // A failure is not remembered: the page may come again with another URL.
    loading.catch(() => loaded.delete(context));
  }
  return loading;
}

async function addModule(context: BaseAudioContext, url?: string | URL): Promise<void> {
  if (!context.audioWorklet) {
    throw new VoiceError('insecure_page', 'This page may not process audio.', {
      hint: 'Browsers allow it on https pages and on http://localhost.',
    });
  }
  const blob =
    url === undefined && typeof NPC_VOICE_WORKLET_SOURCE === 'string'
      ? URL.createObjectURL(new Blob([NPC_VOICE_WORKLET_SOURCE], { type: 'text/javascript' }))
      : undefined;
  const from = blob ?? url;
  if (from === undefined) {
    throw new VoiceError('no_worklet', 'This build carries no worklet inside.', {
      hint: 'Serve worklet.js and pass its address as workletUrl.',
    });
  }
  try {
    await context.audioWorklet.addModule(from);
  } catch (cause) {
    throw new VoiceError('no_worklet', `The audio worklet did not load from ${blob ? 'the bundle' : from}.`, {
      hint: 'If the page has a content security policy, serve worklet.js yourself and pass its address as workletUrl.',
      cause,
    });
  } finally {
    if (blob !== undefined) URL.revokeObjectURL(blob);
  }
}

/** A context at the output device's own rate, for talk. */
export function createContext(): AudioContext {
  return new AudioContext({ latencyHint: 'interactive' });
}

/**
 * Resumes `context` at the player's next click, key or touch: browsers let no page make a sound before one.
 * Returns what stops waiting.
 */
export function resumeOnGesture(context: AudioContext): () => void {
  const gestures = ['pointerdown', 'keydown', 'touchend'] as const;
  const stop = (): void => gestures.forEach((type) => removeEventListener(type, resume, true));
  const resume = (): void => void context.resume().then(stop, () => {});
  gestures.forEach((type) => addEventListener(type, resume, true));
  return stop;
}

/** Seconds from a sample's leaving the graph to its being heard. */
export function outputLatency(context: AudioContext): number {
  // Safari has no outputLatency.
  return (context.outputLatency || 0) + (context.outputLatency ? 0 : context.baseLatency || 0);
}
