/** What was said in a scene, by whom, as it was heard. */
import type { TranscriptLine } from '../../wire/messages';
import { Emitter } from '../../../plugins/web/src/emitter';

export interface NpcLine {
  kind: 'npc';
  key: number;
  actor: string;
  /** Heard so far; when it is over, what the sidecar knows was heard. */
  heard: string;
  /** What was to be said and was not. */
  unsaid: string;
  cut: boolean;
  live: boolean;
  /** The sidecar's account of it has come. */
  settled: boolean;
}
/** A player's speech: the understudy hears that there is speech, not what is said. */
export interface PlayerSpeech {
  kind: 'player';
  key: number;
  /** Levels, one each 80 ms, 0..1. */
  levels: number[];
  ms: number;
  live: boolean;
}
export interface Backchannel {
  kind: 'backchannel';
  key: number;
  actor: string;
  text: string;
}
export interface Note {
  kind: 'note';
  key: number;
  text: string;
}
export type Entry = NpcLine | PlayerSpeech | Backchannel | Note;

/** Entries kept. */
const KEPT = 200;
/** Levels kept of one speech: 24 s, its newest part. */
const LEVELS = 300;

export class Conversation extends Emitter<{ added: Entry; changed: Entry; dropped: Entry }> {
  readonly entries: Entry[] = [];
  #key = 0;

  words(actor: string, text: string, backchannel: boolean): void {
    if (backchannel) return this.#backchannel(actor, text);
    const line = this.#liveLine(actor) ?? this.#startLine(actor);
    line.heard += text;
    this.emit('changed', line);
  }

  npcStarted(actor: string): void {
    this.npcStopped(actor);
  }

  npcStopped(actor: string): void {
    const line = this.#liveLine(actor);
    if (!line) return;
    line.live = false;
    this.emit('changed', line);
  }

  /** The sidecar's account of a line replaces what was gathered word by word. */
  transcript(actor: string, { who, text, heard, cut }: TranscriptLine): void {
    if (who !== actor) return;
    const line = this.#latest(
      (entry) => entry.kind === 'npc' && entry.actor === actor && !entry.settled && begins(text, entry.heard),
    ) as NpcLine | undefined;
    if (!line) return;
    line.heard = heard;
    line.cut = cut;
    line.unsaid = cut ? unsaid(text, heard) : '';
    line.live = false;
    line.settled = true;
    this.emit('changed', line);
  }

  playerStarted(): void {
    if (this.#liveSpeech()) return;
    this.#add({ kind: 'player', key: this.#key++, levels: [], ms: 0, live: true });
  }

  playerLevel(level: number): void {
    const speech = this.#liveSpeech();
    if (!speech) return;
    speech.levels.push(level);
    if (speech.levels.length > LEVELS) speech.levels.shift();
    speech.ms += 80;
    this.emit('changed', speech);
  }

  playerStopped(ms?: number): void {
    const speech = this.#liveSpeech();
    if (!speech) return;
    if (ms !== undefined) speech.ms = ms;
    speech.live = false;
    this.emit('changed', speech);
  }

  note(text: string): void {
    this.#add({ kind: 'note', key: this.#key++, text });
  }

  #backchannel(actor: string, text: string): void {
    this.#add({ kind: 'backchannel', key: this.#key++, actor, text: text.trim() });
  }

  #startLine(actor: string): NpcLine {
    const line: NpcLine = {
      kind: 'npc',
      key: this.#key++,
      actor,
      heard: '',
      unsaid: '',
      cut: false,
      live: true,
      settled: false,
    };
    this.#add(line);
    return line;
  }

  #add(entry: Entry): void {
    this.entries.push(entry);
    this.emit('added', entry);
    if (this.entries.length > KEPT) this.emit('dropped', this.entries.shift()!);
  }

  #liveLine(actor: string): NpcLine | undefined {
    return this.#latest((entry) => entry.kind === 'npc' && entry.actor === actor && entry.live) as
      NpcLine | undefined;
  }
  #liveSpeech(): PlayerSpeech | undefined {
    return this.#latest((entry) => entry.kind === 'player' && entry.live) as PlayerSpeech | undefined;
  }
  #latest(which: (entry: Entry) => boolean): Entry | undefined {
    for (let i = this.entries.length - 1; i >= 0; i--) if (which(this.entries[i]!)) return this.entries[i];
    return undefined;
  }
}

const bare = (text: string): string => text.replace(/[^\p{L}\p{N}]/gu, '').toLowerCase();

/** Whether the words gathered so far are how `text` begins. */
const begins = (text: string, gathered: string): boolean => bare(text).startsWith(bare(gathered));

/** What of `text` lies beyond `heard`, whose last word may be cut short by an em dash. */
export function unsaid(text: string, heard: string): string {
  const said = heard.replace(/\u2014\s*$/, '');
  return text.startsWith(said) ? text.slice(said.length) : '';
}
