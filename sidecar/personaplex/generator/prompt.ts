/**
 * The token columns a conversation starts with. A frame's semantic code and text stand in the frame's own column, its
 * seven acoustic codes one column later:
 *
 *   column 0      initial tokens throughout
 *   column p >= 1 text p | agent semantic p, acoustic p-1 | user semantic p, acoustic p-1
 *
 * (initial tokens where column p-1 is 0). All of a prompt is known beforehand, so it is computed in one pass.
 * Source: NVIDIA's moshi/models/lm.py (LMGen.step, step_system_prompts).
 */
import { NpcVoiceError } from '../../errors';
import { DEPTH_STEPS, type LmConfig } from '../graphs';

/** Codes that mean something to the model. */
export interface SpeechTokens {
  /** Mimi's codes of a silent frame: what an agent that says nothing says, and what a muted microphone hears. */
  silence: readonly number[];
  /** Mimi's codes of a 440 Hz tone: what the user "says" during the prompt. */
  sine: readonly number[];
  /** Text token of a frame in which no word begins. */
  textPad: number;
  /** Frames of silence before and after the role's text. */
  spacerFrames: number;
}

/** The published model's (moshi/models/lm.py). */
export const PERSONAPLEX_TOKENS: SpeechTokens = {
  silence: [948, 243, 1178, 546, 1736, 1030, 1978, 2008],
  sine: [430, 1268, 381, 1611, 1095, 1495, 56, 472],
  textPad: 3,
  spacerFrames: 6,
};

/** A voice to speak with: a recording's codes, or what NVIDIA ships, the embeddings of such codes. */
export type VoicePrompt =
  | { kind: 'codes'; /** [frames, 8]. */ codes: Int32Array }
  | {
      kind: 'embeddings';
      /** [frames - 1, dim]: the summed embeddings of columns 0 .. frames-2. */
      embeddings: Float32Array;
      /** [17, 4]: tokens of columns frames-1 and frames, each at its number mod 4. */
      ring: Int32Array;
    };

export interface Prompt {
  voice: VoicePrompt;
  /** Token ids of the role's text, in its <system> tags; may be empty. */
  text: readonly number[];
}

/** A prompt, ready to be computed. */
export interface PromptColumns {
  count: number;
  /** [count, 17]; -1 throughout where `embeddings` stand instead. */
  tokens: Int32Array;
  /** [count, dim], zeros where tokens stand; null when there are tokens only. */
  embeddings: Float32Array | null;
  /** The agent's seven acoustic codes of the last prompt frame: forced in the first live column. */
  agentAcoustic: Int32Array;
  /** The user's. */
  userAcoustic: Int32Array;
}

const ACOUSTIC = DEPTH_STEPS - 1;
const AGENT = 1;
const USER = 1 + DEPTH_STEPS;
const RING = 4;

interface Frame {
  text: number;
  agent: ArrayLike<number>;
  user: ArrayLike<number>;
}

/**
 * Lays a prompt out. Without a prompt (plain Moshi has none) the conversation starts from the initial column.
 * @throws NpcVoiceError `voice_invalid` when the voice does not fit the model
 */
export function promptColumns(config: LmConfig, tokens: SpeechTokens, prompt: Prompt | null): PromptColumns {
  const width = 1 + config.audioStreams;
  const initial = { text: config.textCard, agent: fill(config.card), user: fill(config.card) };
  if (!prompt) return layOut(config, width, initial, [initial]);
  checkVoice(config, prompt.voice);
  const spoken = (text: number, agent: ArrayLike<number>): Frame => ({ text, agent, user: tokens.sine });
  const spacer = Array.from({ length: tokens.spacerFrames }, () => spoken(tokens.textPad, tokens.silence));
  const role = prompt.text.map((id) => spoken(id, tokens.silence));
  const rest = [...spacer, ...role, ...spacer];
  if (prompt.voice.kind === 'codes') {
    const { codes } = prompt.voice;
    const voice = Array.from({ length: codes.length / DEPTH_STEPS }, (_, frame) =>
      spoken(tokens.textPad, codes.subarray(frame * DEPTH_STEPS, (frame + 1) * DEPTH_STEPS)),
    );
    return layOut(config, width, initial, [...voice, ...rest]);
  }
  return layOutEmbeddings(config, width, initial, prompt.voice, rest);
}

const fill = (token: number): Int32Array => new Int32Array(DEPTH_STEPS).fill(token);

function layOut(config: LmConfig, width: number, initial: Frame, frames: readonly Frame[]): PromptColumns {
  const tokens = new Int32Array(frames.length * width);
  frames.forEach((frame, column) => {
    // Column 0 is initial throughout: what the first frame says is lost, as in the reference.
    const own = column === 0 ? initial : frame;
    const before = column <= 1 ? initial : frames[column - 1]!;
    writeColumn(tokens, column * width, own, before);
  });
  const last = frames.at(-1)!;
  return {
    count: frames.length,
    tokens,
    embeddings: null,
    agentAcoustic: Int32Array.from(last.agent).subarray(1),
    userAcoustic: Int32Array.from(last.user).subarray(1),
  };
}

/** A column of tokens: text and semantic codes of its own frame, acoustic codes of the frame before. */
export function writeColumn(
  into: Int32Array,
  at: number,
  own: Frame,
  before: Pick<Frame, 'agent' | 'user'>,
): void {
  into[at] = own.text;
  into[at + AGENT] = own.agent[0]!;
  into[at + USER] = own.user[0]!;
  for (let k = 1; k <= ACOUSTIC; k++) {
    into[at + AGENT + k] = before.agent[k]!;
    into[at + USER + k] = before.user[k]!;
  }
}

function layOutEmbeddings(
  config: LmConfig,
  width: number,
  initial: Frame,
  voice: Extract<VoicePrompt, { kind: 'embeddings' }>,
  rest: readonly Frame[],
): PromptColumns {
  const embedded = voice.embeddings.length / config.dim;
  /** What the ring holds for a column; streams are text, 8 agent, 8 user. */
  const ringColumn = (column: number): Int32Array =>
    Int32Array.from({ length: width }, (_, stream) => voice.ring[stream * RING + (column % RING)]!);
  // The voice's last frame: semantic codes in column `embedded`, acoustic codes already laid down in the one after.
  const [own, after] = [ringColumn(embedded), ringColumn(embedded + 1)];
  const lastOfVoice: Frame = {
    text: own[0]!,
    agent: [own[AGENT]!, ...after.subarray(AGENT + 1, USER)],
    user: [own[USER]!, ...after.subarray(USER + 1)],
  };
  const tail = layOut(config, width, initial, [initial, lastOfVoice, ...rest]);
  const count = embedded + 1 + rest.length;
  const tokens = new Int32Array(count * width).fill(-1, 0, embedded * width);
  tokens.set(own, embedded * width);
  tokens.set(tail.tokens.subarray(2 * width), (embedded + 1) * width);
  const embeddings = new Float32Array(count * config.dim);
  embeddings.set(voice.embeddings);
  return { ...tail, count, tokens, embeddings };
}

function checkVoice(config: LmConfig, voice: VoicePrompt): void {
  const refuse = (why: string): never => {
    throw new NpcVoiceError('voice_invalid', `The voice prompt does not fit this model: ${why}.`, {
      hint: 'Use a voice made for PersonaPlex-7B, or a WAV recording.',
    });
  };
  if (voice.kind === 'codes') {
    if (voice.codes.length % DEPTH_STEPS !== 0) refuse('it is not whole frames of 8 codes');
    if (voice.codes.some((code) => code < 0 || code >= config.card))
      refuse(`a code is outside 0..${config.card - 1}`);
    return;
  }
  const rows = voice.embeddings.length / config.dim;
  if (rows < 1 || !Number.isInteger(rows)) refuse(`its embeddings are not rows of ${config.dim}`);
  if (voice.ring.length !== (1 + config.audioStreams) * RING) refuse('its token cache is not 17 by 4');
  for (const column of [rows, rows + 1]) {
    for (let stream = 0; stream <= config.audioStreams; stream++) {
      // Column rows+1 holds only what the voice's last frame had to say there: the delayed, acoustic codes.
      const isDelayed = stream !== 0 && stream !== AGENT && stream !== USER;
      if (column === rows + 1 && !isDelayed) continue;
      const token = voice.ring[stream * RING + (column % RING)]!;
      if (token < 0 || token > (stream === 0 ? config.textCard : config.card))
        refuse(`its token cache holds ${token}`);
    }
  }
}
