/** One NPC of the understudy: a turn-taker, and what its speech sounds and looks like in each frame. */
import { FRAME_SAMPLES } from '../audio/frame';
import type { CharacterBrief, SeatId, SeatOptions, SeatOutput } from '../duplex';
import { MOUTH_BYTES, type TurnState } from '../wire/messages';
import type { SpeechSource } from './tts/synthesiser';
import type { Heard } from './turns/heard';
import { TurnTaker } from './turns/turn-taker';

const BACKCHANNEL_GAIN = 0.7;

export class Seat {
  readonly turns: TurnTaker;
  readonly #pcm = new Float32Array(FRAME_SAMPLES);
  readonly #mouth = new Uint8Array(MOUTH_BYTES);
  readonly #output: { -readonly [key in keyof SeatOutput]: SeatOutput[key] };

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
    const { turns } = this;
    const out = this.#output;
    out.events = turns.hear(heard);
    const { turn } = turns;
    const gain = turn.kind === 'backchannel' ? BACKCHANNEL_GAIN : 1;
    const words = 'speech' in turn ? turn.speech.render(this.#pcm, this.#mouth, gain) : undefined;
    out.turn = stateOf(turn.kind, turns.held, heard);
    out.pcm = words === undefined ? null : this.#pcm;
    out.mouth = words === undefined ? null : this.#mouth;
    out.text = words ?? '';
    out.heardSpeech = heard.voiced;
    return out;
  }
}

function stateOf(kind: TurnTaker['turn']['kind'], held: boolean, heard: Heard): TurnState {
  if (kind === 'speaking' || kind === 'backchannel') return kind;
  if (held) return 'held';
  return kind === 'listening' || heard.speaking ? 'listening' : 'idle';
}
