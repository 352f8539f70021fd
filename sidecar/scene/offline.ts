/**
 * A conversation without a clock on the wall: the same scene, stepped as fast as the model goes, heard by a client
 * that plays every frame the moment it gets it. The same input, model and seed give the same samples.
 */
import { FRAME_MS, FRAME_RATE, FRAME_SAMPLES } from '../audio';
import type { DuplexModel } from '../duplex';
import type { TranscriptLine } from '../wire/messages';
import type { Cast, SceneFrame, SceneSink, SceneTurn } from './ports';
import { Scene } from './scene';
import { SteppedClock } from './stepped-clock';

export interface OfflineOptions {
  /** Started, and waiting for its own speech, or the output depends on how fast the machine is. */
  model: DuplexModel;
  cast: Cast;
  persona: string;
  seed: number;
  greet: boolean;
  /** What the player says; null: no microphone at all. Any rate from 8000 to 48000 Hz. */
  player: { samples: Float32Array; rate: number } | null;
  /** Length of the conversation; a started frame is finished. */
  seconds: number;
  /** After each frame. */
  onFrame?: (done: number, of: number) => void;
}

export interface OfflineConversation {
  /** The NPC's voice, 24 kHz: sample 0 is when the player's sample 0 was. */
  voice: Float32Array;
  lines: readonly TranscriptLine[];
  turns: readonly SceneTurn[];
  cues: readonly { n: number; cue: string }[];
}

const MIC = 'player';

/** Rejects with what the model or a persona failed with: half a conversation is none. */
export async function converse(options: OfflineOptions): Promise<OfflineConversation> {
  const { model, cast, persona, seed, greet, player, seconds, onFrame } = options;
  const frames = Math.ceil(seconds * FRAME_RATE);
  const clock = new SteppedClock();
  const recorder = new Recorder(frames);
  const scene = new Scene({ clock, model, cast, sink: recorder, echoGuard: false });
  try {
    await scene.attach(persona, { seed, greet });
    if (player) scene.openMic(MIC, { codec: 'f32', rate: player.rate, channels: 1 }, {});
    for (let n = 0; n < frames; n++) {
      clock.advance(FRAME_MS);
      if (player) scene.micPacket(MIC, n, packet(player, n));
      await scene.settled();
      if (recorder.failure !== null) throw recorder.failure;
      scene.played(persona, n, FRAME_SAMPLES);
      onFrame?.(n + 1, frames);
    }
  } finally {
    await scene.close();
  }
  return recorder;
}

/** The player's frame `n`; silence once it has no more to say. */
function packet({ samples, rate }: { samples: Float32Array; rate: number }, n: number): Uint8Array {
  // Rounded up, so that a whole frame is there at every tick at any rate.
  const at = (frame: number) => Math.ceil((frame * rate) / FRAME_RATE);
  const sound = new Float32Array(at(n + 1) - at(n));
  sound.set(samples.subarray(at(n), at(n + 1)));
  return new Uint8Array(sound.buffer);
}

class Recorder implements SceneSink, OfflineConversation {
  readonly voice: Float32Array;
  readonly lines: TranscriptLine[] = [];
  readonly turns: SceneTurn[] = [];
  readonly cues: { n: number; cue: string }[] = [];
  failure: unknown = null;

  constructor(frames: number) {
    this.voice = new Float32Array(frames * FRAME_SAMPLES);
  }

  frame({ n, pcm, cues }: SceneFrame): void {
    if (pcm) this.voice.set(pcm, n * FRAME_SAMPLES);
    for (const cue of cues) this.cues.push({ n, cue });
  }
  turn(event: SceneTurn): void {
    this.turns.push(event);
  }
  transcript(_npc: string, line: TranscriptLine): void {
    this.lines.push(line);
  }
  failed(error: unknown): void {
    this.failure ??= error;
  }
  flush(): void {}
  held(): void {}
  micLevel(): void {}
  personaChanged(): void {}
}
