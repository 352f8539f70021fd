/** One NPC of the understudy: a turn-taker, and what its speech sounds and looks like in each frame. */
import { FRAME_SAMPLES } from '../audio/frame';
import type { CharacterBrief, SeatId, SeatOptions, SeatOutput } from '../duplex';
import { MOUTH_BYTES, type TurnState } from '../wire/messages';
import type { SpeechSource } from './tts/synthesiser';
import type { Speech } from './speech/speech';
import type { Heard } from './turns/heard';
import type { Turn } from './turns/turn';
import { TurnTaker } from './turns/turn-taker';

const BACKCHANNEL_GAIN = 0.7;

export class Seat {
  readonly turns: TurnTaker;
  readonly #pcm = new Float32Array(FRAME_SAMPLES);
  readonly #mouth = new Uint8Array(MOUTH_BYTES);
  readonly #output: { -readonly [key in keyof SeatOutput]: SeatOutput[key] };
  /** The backchannel of the last frame. */
  #murmur: Speech | undefined;

  constructor(id: SeatId, brief: CharacterBrief, options: SeatOptions, source: SpeechSource) {
    this.turns = new TurnTaker(brief, options, source);
    this.#output = {
      seat: id,
      pcm: null,
      text: '',
      mouth: null,
      turn: 'idle',
      heardSpeech: false,
      events: [],
    };
  }

  /** Moves one frame. The output is the seat's own, valid until the next. */
  step(heard: Heard): SeatOutput {
    const out = this.#output;
    out.events = this.turns.hear(heard);
    const { turn } = this.turns;
    const words = this.#render(turn);
    out.pcm = words === undefined ? null : this.#pcm;
    out.mouth = words === undefined ? null : this.#mouth;
    out.text = words ?? '';
    out.turn = stateOf(turn.kind, this.turns.held, heard);
    out.heardSpeech = heard.voiced;
    return out;
  }

  #render(turn: Turn): string | undefined {
    const murmur = this.#murmur;
    this.#murmur = turn.kind === 'backchannel' ? turn.speech : undefined;
    if (!('speech' in turn)) return undefined;
    const gain = turn.kind === 'backchannel' ? BACKCHANNEL_GAIN : 1;
    const words = turn.speech.render(this.#pcm, this.#mouth, gain);
    // Its own reply need not wait for its "mm-hm" to end.
    if (murmur && murmur !== turn.speech) murmur.trail(this.#pcm, BACKCHANNEL_GAIN);
    return words;
  }
}

function stateOf(kind: Turn['kind'], held: boolean, heard: Heard): TurnState {
  if (kind === 'speaking' || kind === 'backchannel') return kind;
  if (held) return 'held';
  return kind === 'listening' || heard.speaking ? 'listening' : 'idle';
}
