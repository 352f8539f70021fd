/** A line being said: sound, mouth and words, frame by frame. */
import { FRAME_SAMPLES } from '../../audio/frame';
import { MOUTH_STEPS, VISEMES } from '../../wire/messages';
import { FULL_SCALE, MOUTH_STEP_SAMPLES } from '../tts/clause-sound';
import { MOUTH_STEP_MS } from '../tts/visemes';
import { URGENCY, type Utterance } from '../tts/synthesiser';
import type { CharacterBrief } from '../../duplex';
import type { Line } from './line';

const SHAPES = VISEMES.length;
/** A word cut off at its end fades over this, samples. */
const CUT_FADE = 240;

/** What is said to its end. */
type Ending = 'line' | 'clause' | 'word';

export class Speech {
  readonly line: Line;
  /** Index of the clause being said. */
  #clause: number;
  #utterance: Utterance | undefined;
  /** Step of 20 ms within the clause, and where it ends. */
  #step = 0;
  #lastStep = Infinity;
  #gap: number;
  #ending: Ending = 'line';
  #over = false;
  /** The clause it is in has been said to its end. */
  #said = false;
  #steps = 0;

  /**
   * @param from clause to begin with
   * @param pauseMs silence before it
   */
  constructor(line: Line, from = 0, pauseMs = 0) {
    this.line = line;
    this.#clause = from;
    this.#gap = Math.round(pauseMs / MOUTH_STEP_MS);
    this.#take();
  }

  /** All that was to be said has been. */
  get over(): boolean {
    return this.#over;
  }
  /** How long it has lasted. */
  get ms(): number {
    return this.#steps * MOUTH_STEP_MS;
  }
  /** The clause with which it would be taken up again: the one it is in, unless that was said to its end. */
  get resumesAt(): number {
    return this.#said ? this.#clause + 1 : this.#clause;
  }
  /** Ends after the clause it is in. */
  endAfterClause(): void {
    this.#ending = 'clause';
    if (this.#gap > 0 && this.#step === 0) this.#over = true;
  }

  /** Ends after the word it is in; between words, at once. */
  endAfterWord(): void {
    this.#ending = 'word';
    const sound = this.#utterance?.sound;
    if (this.#gap > 0 || !sound) {
      this.#over = true;
      return;
    }
    const at = this.#step * MOUTH_STEP_SAMPLES;
    const word = sound.wordStarts.findLastIndex((start) => start < at);
    const end = word < 0 ? 0 : sound.wordEnds[word]!;
    if (this.#step === 0 || end <= at) this.#over = true;
    else this.#lastStep = Math.ceil(end / MOUTH_STEP_SAMPLES);
  }

  /**
   * Goes on in the voice and words of a changed brief from the next clause on.
   * @returns the first changed clause, when there is one to come
   */
  revise(brief: CharacterBrief): Utterance | undefined {
    const begun = this.#step > 0;
    const next = this.line.revise(brief, begun ? this.#clause + 1 : this.#clause);
    if (next === undefined) return undefined;
    this.line.prepare(next, URGENCY.now);
    const utterance = this.line.utterance(next, URGENCY.now);
    this.#clause = begun ? next - 1 : next;
    if (!begun) this.#utterance = utterance;
    if (!begun && !utterance) this.#over = true;
    return utterance;
  }

  /**
   * Says one frame.
   * @param pcm 1920 samples, overwritten
   * @param mouth MOUTH_BYTES, overwritten
   * @returns the words that begin in it, each with a space before it; undefined when nothing sounds
   */
  render(pcm: Float32Array, mouth: Uint8Array, gain: number): string | undefined {
    pcm.fill(0, 0, FRAME_SAMPLES);
    mouth.fill(0);
    let words = '';
    let sounds = false;
    for (let step = 0; step < MOUTH_STEPS; step++) {
      const at = step * MOUTH_STEP_SAMPLES;
      const said = this.#renderStep(pcm.subarray(at, at + MOUTH_STEP_SAMPLES), mouth, step * SHAPES, gain);
      if (said === undefined) mouth[step * SHAPES] = 255;
      else {
        words += said;
        sounds = true;
      }
    }
    return sounds ? words : undefined;
  }

  /** Adds what would come next to `pcm`, fading away: it gives way to something else. */
  trail(pcm: Float32Array, gain: number): void {
    const sound = this.#utterance?.sound;
    if (this.#over || this.#gap > 0 || !sound) return;
    const from = this.#step * MOUTH_STEP_SAMPLES;
    const scale = gain / FULL_SCALE;
    for (let i = 0; i < CUT_FADE; i++) pcm[i]! += sound.pcm[from + i]! * scale * (1 - (i + 1) / CUT_FADE);
  }

  #renderStep(pcm: Float32Array, mouth: Uint8Array, mouthAt: number, gain: number): string | undefined {
    if (this.#over) return undefined;
    this.#steps++;
    if (this.#gap > 0) {
      this.#gap--;
      return undefined;
    }
    // Clauses that failed are passed over, as is a line without any.
    while (!this.#utterance || this.#utterance.state === 'failed') {
      if (!this.#advance()) return undefined;
      if (this.#gap > 0 && this.#utterance) {
        this.#gap--;
        return undefined;
      }
    }
    const sound = this.#utterance.sound;
    // Still being made: a moment's rest.
    if (!sound) return undefined;
    const from = this.#step * MOUTH_STEP_SAMPLES;
    const to = from + MOUTH_STEP_SAMPLES;
    const scale = gain / FULL_SCALE;
    for (let i = 0; i < MOUTH_STEP_SAMPLES; i++) pcm[i] = sound.pcm[from + i]! * scale;
    mouth.set(sound.mouth.subarray(this.#step * SHAPES, (this.#step + 1) * SHAPES), mouthAt);
    let words = '';
    sound.wordStarts.forEach((start, index) => {
      if (start >= from && start < to) words += ` ${this.#utterance!.clause.words[index]!.text}`;
    });
    this.#step++;
    if (this.#step >= this.#lastStep) {
      const fadeFrom = MOUTH_STEP_SAMPLES - CUT_FADE;
      for (let i = 0; i < CUT_FADE; i++) pcm[fadeFrom + i]! *= 1 - (i + 1) / CUT_FADE;
      this.#over = true;
    } else if (this.#step * MOUTH_STEP_SAMPLES >= sound.pcm.length) this.#advance();
    return words;
  }

  /** On to the next clause, after its pause. False: there is none. */
  #advance(): boolean {
    const pauseMs = this.#utterance?.clause.pauseMs ?? 0;
    if (this.#clause + 1 >= this.line.length || this.#ending !== 'line') {
      this.#said = true;
      this.#over = true;
      return false;
    }
    this.#clause++;
    this.#take();
    this.#gap = Math.round(pauseMs / MOUTH_STEP_MS);
    return true;
  }

  #take(): void {
    this.#step = 0;
    this.#lastStep = Infinity;
    this.line.prepare(this.#clause, URGENCY.now);
    this.#utterance = this.line.utterance(this.#clause, URGENCY.now);
    if (!this.#utterance) this.#over = this.#clause >= this.line.length;
  }
}
