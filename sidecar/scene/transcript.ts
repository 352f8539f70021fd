/**
 * What was actually heard of an NPC: from what it said in which frame, and how far its client says it has played.
 * A word is known by the frame it begins in; words that share a frame are taken to share it evenly, and a word is
 * over when the next begins. A word that was playing when the line was cut ends in an em dash; one that had not
 * begun was not heard.
 */
import { FRAME_MS, FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE } from '../audio/frame';
import type { TranscriptLine } from '../wire/messages';
import { cueWords } from './cues';

/** A client that has never acknowledged anything is taken to have heard all it was sent, this many frames on. */
export const SILENT_CLIENT_FRAMES = Math.ceil(2 * FRAME_RATE);
/** One that did and then stopped is waited for this long; then what it acknowledged is what was heard. */
export const STALLED_CLIENT_FRAMES = Math.ceil(30 * FRAME_RATE);
/** How long acknowledgements already under way when a line was flushed may still come in. */
export const FLUSH_SETTLE_FRAMES = Math.ceil(1 * FRAME_RATE);
/** Lines kept for each NPC; older ones are forgotten and counted. */
export const LINES_KEPT = 200;
/** Lines that may wait to have been heard; of more, the oldest is settled as it stands. */
export const LINES_WAITING = 16;

const CUT_MARK = '—';

interface SpokenWord {
  /** With the punctuation it came with. */
  text: string;
  frame: number;
  /** Sample of the NPC's count at which it is taken to begin. */
  begins: number;
  /** False: the NPC was muted. */
  audible: boolean;
}

interface OpenLine {
  n: number;
  text: string;
  words: SpokenWord[];
  /** First frame after it; null while it goes on. */
  end: number | null;
  /** The client was told to drop what it had of the frames before this one. */
  flushed: number | null;
  /** It was the flush that ended it, so its last word is unfinished. */
  broken: boolean;
  /** Sample of the NPC's count up to which it has been played. */
  played: number;
}

export class Transcript {
  readonly #npc: string;
  readonly #emit: (line: TranscriptLine) => void;
  readonly #lines: TranscriptLine[] = [];
  /** Lines being said or not yet heard, oldest first; only the last may go on. */
  #open: OpenLine[] = [];
  #acknowledges = false;
  /** First frame not sent yet. */
  #sent = 0;
  #player: { n: number; who: string } | null = null;
  /** Lines forgotten since the beginning. */
  forgotten = 0;

  /** `emit` is called with each line once it is settled. */
  constructor(npc: string, emit: (line: TranscriptLine) => void) {
    this.#npc = npc;
    this.#emit = emit;
  }

  /** Oldest first. */
  get lines(): readonly TranscriptLine[] {
    return this.#lines;
  }
  /** Lines that are being said, or may not have been heard yet. */
  get waiting(): number {
    return this.#open.length;
  }

  playerStarted(n: number, who: string): void {
    this.#player = { n, who };
  }

  /** @param words what was said, where that is known; else '' */
  playerStopped(n: number, ms: number, words = ''): void {
    const { n: began, who } = this.#player ?? {
      n: Math.max(0, n - Math.round(ms / FRAME_MS)),
      who: 'player',
    };
    this.#player = null;
    this.#keep({ who, n: began, text: words, heard: words, cut: false, ms });
  }

  /** A line begins in frame `n`. `text`: all of it, or '' where that is not known beforehand. */
  started(n: number, text: string): void {
    this.ended(n);
    const played = n * FRAME_SAMPLES;
    this.#open.push({ n, text, words: [], end: null, flushed: null, broken: false, played });
    if (this.#open.length > LINES_WAITING) this.#settle(this.#open.shift()!);
  }

  /** Words that begin in frame `n` of the line. */
  said(n: number, text: string, audible = true): void {
    const line = this.#open.at(-1);
    if (!line || line.end !== null) return;
    for (const word of words(text)) line.words.push({ text: word, frame: n, begins: 0, audible });
    const here = line.words.filter((word) => word.frame === n);
    here.forEach((word, i) => {
      word.begins = n * FRAME_SAMPLES + Math.floor((i * FRAME_SAMPLES) / here.length);
    });
  }

  /** The line's last sound was before frame `n`. */
  ended(n: number): void {
    const line = this.#open.at(-1);
    if (line) line.end ??= n;
  }

  /** The client was told to drop what it has of the frames before `n`. */
  flushed(n: number): void {
    for (const line of this.#open) {
      line.flushed ??= n;
      if (line.end !== null) continue;
      line.end = n;
      line.broken = true;
    }
  }

  /** Playback of frame `n` has reached `samples` of it. */
  played(n: number, samples: number): void {
    this.#acknowledges = true;
    const position = Math.min(n * FRAME_SAMPLES + samples, this.#sent * FRAME_SAMPLES);
    this.#settleWhere((line) => {
      // An acknowledgement from beyond a flush says that there will be none from before it.
      if (line.flushed !== null && n >= line.flushed) return true;
      line.played = Math.max(line.played, position);
      return line.end !== null && line.played >= line.end * FRAME_SAMPLES;
    });
  }

  /** Frame `n` has been sent: lines that have waited long enough are settled. */
  sent(n: number): void {
    this.#sent = n + 1;
    if (this.#open.length === 0) return;
    this.#settleWhere((line) => line.end !== null && n - line.end >= this.#patience(line));
  }

  /** Settles everything: the NPC leaves before frame `n`. */
  close(n: number): void {
    this.ended(n);
    this.#settleWhere(() => true);
  }

  #patience(line: OpenLine): number {
    if (!this.#acknowledges) return SILENT_CLIENT_FRAMES;
    return line.flushed === null ? STALLED_CLIENT_FRAMES : FLUSH_SETTLE_FRAMES;
  }

  #settleWhere(isOver: (line: OpenLine) => boolean): void {
    const over = this.#open.filter(isOver);
    if (over.length === 0) return;
    this.#open = this.#open.filter((line) => !over.includes(line));
    for (const line of over) this.#settle(line);
  }

  #settle(line: OpenLine): void {
    const end = line.end! * FRAME_SAMPLES;
    const heardTo = this.#acknowledges ? Math.min(line.played, end) : end;
    const heard: string[] = [];
    let cut = line.broken || !isComplete(line);
    line.words.forEach((word, i) => {
      const ends = line.words[i + 1]?.begins ?? (line.broken ? Infinity : end);
      if (word.audible && ends <= heardTo) heard.push(word.text);
      else {
        cut = true;
        if (word.audible && word.begins < heardTo) heard.push(broken(word.text));
      }
    });
    this.#keep({
      who: this.#npc,
      n: line.n,
      text: line.text || line.words.map((word) => word.text).join(' '),
      heard: heard.join(' '),
      cut,
      ms: Math.round(((heardTo - line.n * FRAME_SAMPLES) * 1000) / SAMPLE_RATE),
    });
  }

  #keep(line: TranscriptLine): void {
    this.#lines.push(line);
    if (this.#lines.length > LINES_KEPT) {
      this.#lines.shift();
      this.forgotten++;
    }
    this.#emit(line);
  }
}

/**
 * Whether the line came to its announced end. Its last word tells, not their number: a line that is taken up again
 * where it was cut begins in its middle.
 */
function isComplete({ text, words: said }: OpenLine): boolean {
  const announced = cueWords(text).at(-1);
  return announced === undefined || announced === cueWords(said.at(-1)?.text ?? '').at(-1);
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

const broken = (word: string): string => word.replace(/[^\p{L}\p{N}]+$/u, '') + CUT_MARK;
