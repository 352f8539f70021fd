/**
 * When an NPC speaks and when it gives way: what is heard, frame by frame, decides who has the floor. Knows neither
 * clocks nor samples; the speech it starts is rendered by its owner.
 */
import { FRAME_MS } from '../../audio/frame';
import type { CharacterBrief, SeatEvent, SeatOptions } from '../../duplex';
import { Line } from '../speech/line';
import { Repertoire } from '../speech/repertoire';
import { Speech } from '../speech/speech';
import { URGENCY, type SpeechSource, type Urgency, type Utterance } from '../tts/synthesiser';
import { BackchannelTimer } from './backchannel';
import { Chance } from './bag';
import type { Heard } from './heard';
import type { CutLine, EndedBy, Item, Turn } from './turn';

/** The player is quiet for so long before a line counts as begun in quiet. */
const ARMED_AFTER_MS = 90;
/** Shorter sounds are no turn, and get no reply. */
const SHORTEST_TURN_MS = 90;
/** Between two lines of its own. */
const BETWEEN_LINES_MS = 260;
/** A sound that may turn out to be speech holds a reply up for no longer. */
const MOST_UNSURE_FRAMES = 2;
/** Idle lines come this much sooner or later than said. */
const IDLE_JITTER = 0.2;
const NO_EVENTS: readonly SeatEvent[] = [];

export class TurnTaker {
  turn: Turn = { kind: 'open' };
  #brief: CharacterBrief;
  readonly #source: SpeechSource;
  readonly #chance: Chance;
  readonly #repertoire: Repertoire;
  readonly #backchannel: BackchannelTimer;
  #agenda: Item[] = [];
  #events: readonly SeatEvent[] = NO_EVENTS;
  #held = false;
  #interrupted = false;
  #playerTalks = false;
  /** The longest stretch of speech in the player's turn. */
  #turnMs = 0;
  #unsureFrames = 0;
  #quietMs = 0;
  #idleJitter: number;

  constructor(brief: CharacterBrief, options: SeatOptions, source: SpeechSource) {
    this.#brief = brief;
    this.#source = source;
    this.#chance = new Chance(options.seed);
    this.#repertoire = new Repertoire(brief, new Chance(options.seed + 1), source);
    this.#backchannel = new BackchannelTimer(new Chance(options.seed + 2));
    if (options.greet) this.#queue(this.#repertoire.take('greeting'));
    this.#repertoire.prepare('replies');
    this.#idleJitter = this.#drawIdleJitter();
  }

  get held(): boolean {
    return this.#held;
  }
  /** Lines the game wants said that it has not begun. */
  get waiting(): number {
    return this.#agenda.filter(({ line }) => line.kind === 'said').length;
  }
  /** What it says first; undefined when it waits to be spoken to. */
  get opening(): Utterance | undefined {
    const first = this.#agenda[0];
    return first?.line.utterance(first.from, URGENCY.now);
  }

  /**
   * Decides on one frame; the speech in `turn`, if any, is then to be rendered. A line that ended in the last
   * frame stops in this one, the first without its sound.
   * @returns the frame's events
   */
  hear(heard: Heard): readonly SeatEvent[] {
    this.#events = NO_EVENTS;
    this.#noticeEnd(heard);
    this.#followPlayer(heard);
    if (this.#interrupted) this.#obey();
    else if (this.turn.kind === 'speaking') this.#listenWhileSpeaking(this.turn, heard);
    else this.#waitForFloor(heard);
    return this.#events;
  }

  say(text: string, when: 'queue' | 'now'): void {
    const line = new Line('said', -1, text, this.#brief.voice.understudy, this.#source);
    if (when === 'now') this.#agenda.unshift({ line, from: 0, waitsFor: 'nothing', pauseMs: 0 });
    else this.#agenda.push({ line, from: 0, waitsFor: 'floor', pauseMs: 0 });
    this.#prepareNext(URGENCY.now);
  }

  farewell(): boolean {
    const line = this.#held ? undefined : this.#repertoire.take('farewell');
    if (!line) return false;
    this.#dropAgenda();
    if (this.turn.kind === 'speaking') this.turn.speech.endAfterClause();
    line.prepare(0, URGENCY.now);
    this.#agenda.push({ line, from: 0, waitsFor: 'line', pauseMs: 0 });
    return true;
  }

  hold(on: boolean, manner: 'finish_word' | 'cut'): void {
    if (on === this.#held) return;
    this.#held = on;
    this.#restartIdle();
    if (!on) return;
    if (manner === 'cut') this.interrupt();
    else if ('speech' in this.turn) this.turn.speech.endAfterWord();
    if (this.turn.kind === 'speaking') this.turn.endedBy = 'hold';
    if (this.turn.kind === 'listening') this.turn = { kind: 'open' };
    this.#turnMs = 0;
  }

  interrupt(): void {
    this.#interrupted = 'speech' in this.turn;
  }

  /** @returns the next clause in its new form, when what is being said changes with it */
  update(brief: CharacterBrief): Utterance | undefined {
    this.#brief = brief;
    const changed = this.turn.kind === 'speaking' ? this.turn.speech.revise(brief) : undefined;
    this.#repertoire.revise(brief);
    for (const item of this.#agenda) item.from = item.line.revise(brief, item.from) ?? item.from;
    this.#prepareNext(URGENCY.ahead);
    if ('cut' in this.turn && this.turn.cut) {
      const { cut } = this.turn;
      cut.clause = cut.line.revise(brief, cut.clause) ?? cut.clause;
    }
    return changed;
  }

  /** Wants no more of the speech it asked for. */
  end(): void {
    this.#dropAgenda();
    this.#repertoire.drop();
    if ('speech' in this.turn) this.turn.speech.line.drop();
  }

  #tell(event: SeatEvent): void {
    this.#events = [...this.#events, event];
  }

  #noticeEnd(heard: Heard): void {
    const { turn } = this;
    if (!('speech' in turn) || !turn.speech.over) return;
    if (turn.kind === 'speaking') this.#lineEnded(turn, heard);
    else this.turn = { kind: 'listening', cut: turn.cut };
  }

  #followPlayer(heard: Heard): void {
    if (heard.started) {
      this.#playerTalks = true;
      this.#tell({ kind: 'player_started' });
    }
    if (heard.voiced) this.#turnMs = Math.max(this.#turnMs, heard.speechMs);
    if (heard.speaking) this.#restartIdle();
    else if (this.#playerTalks) this.#playerStopped(heard);
  }

  #playerStopped(heard: Heard): void {
    this.#playerTalks = false;
    this.#tell({ kind: 'player_stopped', ms: Math.round(heard.speechMs) });
  }

  /** Stops at once, as the game said. */
  #obey(): void {
    this.#interrupted = false;
    if ('speech' in this.turn) this.#cut(this.#held ? 'hold' : undefined);
  }

  #listenWhileSpeaking(turn: Turn & { kind: 'speaking' }, heard: Heard): void {
    turn.armed ||= isQuiet(heard);
    const next = this.#agenda[0];
    if (next?.waitsFor === 'nothing' && next.line.isReady(next.from) && !this.#held) {
      this.#cut(undefined);
      this.#agenda.shift();
      this.#begin(next, heard);
      return;
    }
    const { overlap } = this.#brief.turnTaking;
    if (!turn.armed || !heard.cutIn || turn.endedBy || overlap === 'talk_over') return;
    if (overlap === 'yield') return this.#cut('player');
    turn.endedBy = 'player';
    if (overlap === 'finish_word') turn.speech.endAfterWord();
    else turn.speech.endAfterClause();
    this.#noticeEnd(heard);
  }

  #waitForFloor(heard: Heard): void {
    if (this.#held) return;
    if (this.turn.kind === 'open' && heard.speaking) this.turn = { kind: 'listening', cut: undefined };
    const cut = 'cut' in this.turn ? this.turn.cut : undefined;
    if (cut) {
      cut.ago += FRAME_MS;
      cut.confirmed ||= heard.started || heard.speaking;
    }
    const { patienceMs } = this.#brief.turnTaking;
    const isFree = Math.min(heard.quietMs, cut?.ago ?? Infinity) >= patienceMs && !this.#isUnsure(heard);
    if (isFree && this.turn.kind !== 'open') this.#playersTurnIsOver(cut);
    if (isFree && this.#agenda.length === 0) this.#waitIdly(heard);
    const next = this.#agenda[0];
    if (next && (isFree || next.waitsFor !== 'floor') && next.line.isReady(next.from)) {
      this.#agenda.shift();
      this.#begin(next, heard);
    } else if (this.turn.kind === 'listening') this.#maybeBackchannel(this.turn, heard);
  }

  /** Something at the frame's end may be speech that goes on: better to wait and see, but not for ever. */
  #isUnsure(heard: Heard): boolean {
    if (heard.unsure && this.turn.kind !== 'open' && this.#unsureFrames < MOST_UNSURE_FRAMES) {
      this.#unsureFrames++;
      return true;
    }
    this.#unsureFrames = 0;
    return false;
  }

  #playersTurnIsOver(cut: CutLine | undefined): void {
    if (this.turn.kind === 'listening') this.turn = { kind: 'open' };
    else if (this.turn.kind === 'backchannel') this.turn.cut = undefined;
    this.#backchannel.reset();
    const wasTurn = this.#turnMs >= SHORTEST_TURN_MS;
    this.#turnMs = 0;
    if (cut) this.#answerCut(cut);
    else if (wasTurn) this.#answer();
  }

  #answer(): void {
    if (this.#agenda.length === 0) this.#queue(this.#repertoire.take('replies'));
  }

  /** A false alarm is passed over in silence; otherwise the line is taken up or let go, as the persona would. */
  #answerCut(cut: CutLine): void {
    const resumes = !cut.confirmed || this.#brief.turnTaking.resume;
    const excuse = cut.confirmed ? this.#repertoire.take('interrupted') : undefined;
    if (resumes && cut.clause < cut.line.length) {
      cut.line.prepare(cut.clause, URGENCY.next);
      this.#agenda.unshift({ line: cut.line, from: cut.clause, waitsFor: 'floor', pauseMs: 0 });
    } else cut.line.drop();
    if (excuse) this.#agenda.unshift({ line: excuse, from: 0, waitsFor: 'floor', pauseMs: 0 });
    else this.#answer();
  }

  #maybeBackchannel(turn: Turn & { kind: 'listening' }, heard: Heard): void {
    const { backchannelsPerMinute, patienceMs } = this.#brief.turnTaking;
    if (backchannelsPerMinute > 0) this.#repertoire.prepare('backchannels');
    if (!this.#backchannel.isDue(heard, backchannelsPerMinute, patienceMs)) return;
    const line = this.#repertoire.take('backchannels');
    if (!line?.isReady(0)) return;
    this.turn = { kind: 'backchannel', cut: turn.cut, speech: new Speech(line) };
    this.#tell({ kind: 'npc_backchannelled', text: line.text });
  }

  #waitIdly(heard: Heard): void {
    const afterMs = this.#brief.lines.idleEverySeconds * 1000 * this.#idleJitter;
    if (heard.speaking || afterMs === 0) return;
    this.#quietMs += FRAME_MS;
    // Chosen half-way, so that it is there when its time has come.
    if (this.#quietMs >= afterMs / 2) this.#repertoire.prepare('idle');
    if (this.#quietMs < afterMs) return;
    this.#restartIdle();
    this.#queue(this.#repertoire.take('idle'));
  }

  #restartIdle(): void {
    if (this.#quietMs === 0) return;
    this.#quietMs = 0;
    this.#idleJitter = this.#drawIdleJitter();
  }

  #drawIdleJitter(): number {
    return this.#chance.between(1 - IDLE_JITTER, 1 + IDLE_JITTER);
  }

  #queue(line: Line | undefined): void {
    if (!line) return;
    this.#agenda.push({ line, from: 0, waitsFor: 'floor', pauseMs: 0 });
    this.#prepareNext(URGENCY.now);
  }

  /** Only the line that comes next holds its sound: many may wait. */
  #prepareNext(urgency: Urgency): void {
    const next = this.#agenda[0];
    next?.line.prepare(next.from, urgency);
  }

  #dropAgenda(): void {
    for (const { line } of this.#agenda) line.drop();
    this.#agenda = [];
  }

  #begin({ line, from, pauseMs }: Item, heard: Heard): void {
    if (this.#playerTalks && heard.quietMs >= this.#brief.turnTaking.patienceMs) this.#playerStopped(heard);
    this.turn = {
      kind: 'speaking',
      speech: new Speech(line, from, pauseMs),
      armed: isQuiet(heard),
      endedBy: undefined,
    };
    this.#tell({ kind: 'npc_started', text: line.text });
    this.#prepareNext(URGENCY.line);
    this.#repertoire.prepare('replies');
    this.#repertoire.prepare('interrupted');
  }

  /** Stops in the middle of it all: what was sent and not yet heard is to be dropped as well. */
  #cut(by: EndedBy | undefined): void {
    if (!('speech' in this.turn)) return;
    const { kind, speech } = this.turn;
    this.#tell({ kind: 'npc_interrupted', flush: true });
    if (kind === 'speaking') this.#tell({ kind: 'npc_stopped', ms: speech.ms });
    this.#lineWasCut(speech, by);
  }

  #lineEnded({ speech, endedBy }: Turn & { kind: 'speaking' }, heard: Heard): void {
    this.#restartIdle();
    const cutShort = endedBy !== undefined && speech.resumesAt < speech.line.length;
    if (cutShort && endedBy === 'player') this.#tell({ kind: 'npc_interrupted', flush: false });
    this.#tell({ kind: 'npc_stopped', ms: speech.ms });
    if (cutShort) return this.#lineWasCut(speech, endedBy);
    speech.line.drop();
    const next = this.#agenda[0];
    if (next && next.waitsFor !== 'nothing') next.pauseMs = BETWEEN_LINES_MS;
    if (!heard.speaking) this.#turnMs = 0;
    this.turn = heard.speaking ? { kind: 'listening', cut: undefined } : { kind: 'open' };
  }

  /** Whatever cut it, it is taken up again only if the persona does so. */
  #lineWasCut(speech: Speech, by: EndedBy | undefined): void {
    const { line, resumesAt } = speech;
    this.turn = { kind: 'open' };
    if (by === 'player')
      this.turn = { kind: 'listening', cut: { line, clause: resumesAt, ago: 0, confirmed: false } };
    else if (by === 'hold' && this.#brief.turnTaking.resume && line.kind !== 'backchannels') {
      this.#agenda.unshift({ line, from: resumesAt, waitsFor: 'floor', pauseMs: 0 });
    } else line.drop();
  }
}

function isQuiet(heard: Heard): boolean {
  return !heard.speaking || heard.quietMs >= ARMED_AFTER_MS;
}
