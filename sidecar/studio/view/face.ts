/** A drawn face: one colour and one silhouette a character, a mouth that follows its viseme weights. */
import { svg } from '../dom';
import type { Actor } from '../scene/scene';
import { mouthPath, restingShape, shapeOf } from './mouth';

/** Hues far apart, in the order in which characters are first seen. */
const HUES = [48, 198, 318, 145, 265, 88, 20, 228];
const seen = new Map<string, number>();
/** A character's number: what its colour and silhouette hang on. */
function castNumber(persona: string): number {
  let number = seen.get(persona);
  if (number === undefined) seen.set(persona, (number = seen.size));
  return number;
}
export const hueOf = (persona: string): number => HUES[castNumber(persona) % HUES.length]!;

/** Silhouettes, in the order of the shipped cast: a beard, a helmet, a hood, long hair, a hat, a mop, buns. */
const LOOKS: readonly { back?: string; front: string; beard?: string }[] = [
  {
    front:
      'M50 82C46 44 76 30 102 31C132 32 154 50 150 84C144 66 132 60 118 62C98 66 72 58 62 64C56 68 52 74 50 82Z',
    beard:
      'M52 112C54 150 76 172 100 172C124 172 146 150 148 112C142 126 132 129 122 126C112 121 88 121 78 126C68 129 58 126 52 112Z',
  },
  {
    front:
      'M45 100C40 52 64 27 100 26C136 27 160 52 155 100L147 100C146 86 142 79 132 78L106 78L105 106Q100 110 95 106L94 78L68 78C58 79 54 86 53 100Z',
  },
  {
    back: 'M36 176C28 96 50 18 100 14C150 18 172 96 164 176Z',
    front:
      'M51 88C54 58 78 44 104 46C128 48 146 60 149 86C138 70 128 66 118 65C106 74 84 66 70 74C62 78 56 80 51 88ZM48 104C44 58 66 36 100 34C134 36 156 58 152 104C156 46 136 22 100 20C64 22 44 46 48 104Z',
  },
  {
    back: 'M42 96C38 48 66 24 100 24C134 24 162 48 158 96C158 130 164 154 152 166C136 174 64 174 48 166C36 154 42 130 42 96Z',
    front:
      'M51 92C50 60 72 42 104 40C96 58 74 64 62 70C55 76 52 84 51 92ZM104 40C130 42 150 60 149 92C146 76 134 66 122 60C114 56 107 50 104 40Z',
  },
  {
    front:
      'M44 74C46 66 154 66 156 74C160 80 40 80 44 74ZM56 68C54 30 76 20 100 20C124 20 146 30 144 68C130 64 70 64 56 68Z',
    beard: 'M74 126C86 119 114 119 126 126C124 132 112 129 100 127C88 129 76 132 74 126Z',
  },
  {
    front:
      'M49 88C40 60 54 32 78 35C84 24 106 22 112 31C128 25 146 36 147 50C158 58 155 76 151 88C147 74 141 72 136 63C130 73 120 71 116 63C108 73 94 71 90 63C82 75 70 69 66 65C58 69 54 78 49 88Z',
  },
  {
    back: 'M56 60C36 56 34 30 54 26C70 24 76 40 70 52ZM144 60C164 56 166 30 146 26C130 24 124 40 130 52Z',
    front: 'M51 86C48 52 70 34 100 34C130 34 152 52 149 86C142 62 124 54 100 54C76 54 58 62 51 86Z',
  },
];

const HEAD = 'M100 36C132 36 150 58 150 96C150 138 128 168 100 168C72 168 50 138 50 96C50 58 68 36 100 36Z';
const SHOULDERS = 'M18 216C22 182 54 170 78 164L122 164C146 170 178 182 182 216Z';
/** How quickly the drawn mouth goes to where it should be, of the way per 16.7 ms. */
const MOUTH_EASE = 0.45;

export class Face {
  readonly element: SVGSVGElement;
  #actor: Actor;
  readonly #mouth = svg('path', { class: 'face-mouth' });
  readonly #tongue = svg('ellipse', { class: 'face-tongue', cx: 0, rx: 11, ry: 8 });
  readonly #eyes = svg('g', { class: 'face-eyes' });
  readonly #head = svg('g', {});
  readonly #shape = restingShape();
  readonly #wanted = restingShape();
  #drawn = '';
  #blinkAt = performance.now() + 1500 + Math.random() * 3000;
  #sway: number;

  constructor(actor: Actor) {
    this.#actor = actor;
    const number = castNumber(actor.persona);
    this.#sway = number * 1.7;
    const look = LOOKS[number % LOOKS.length]!;
    const clip = `mouth-${++made}`;
    this.#eyes.append(eye(80), eye(120));
    this.#head.append(
      svg('path', { class: 'face-hair', d: look.back ?? '' }),
      svg('path', { class: 'face-neck', d: 'M82 150h36v28c-8 8-28 8-36 0Z' }),
      svg('path', { class: 'face-skin', d: HEAD }),
      svg('path', { class: 'face-shade', d: 'M100 36C132 36 150 58 150 96C150 138 128 168 100 168C124 150 134 120 130 92C126 62 116 44 100 36Z' }),
      look.beard ? svg('path', { class: 'face-beard', d: look.beard }) : '',
      this.#eyes,
      svg('path', { class: 'face-brow', d: 'M70 82Q80 76 90 81M110 81Q120 76 130 82' }),
      svg('path', { class: 'face-nose', d: 'M100 98Q94 112 97 115Q100 117 104 115' }),
      svg(
        'g',
        { transform: 'translate(100 137)' },
        svg('clipPath', { id: clip }, this.#mouthClip),
        this.#mouth,
        svg('g', { 'clip-path': `url(#${clip})` }, this.#tongue, svg('rect', { class: 'face-teeth', x: -18, y: -12, width: 36, height: 9, rx: 3 })),
      ),
      svg('path', { class: 'face-hair', d: look.front }),
    ); // prettier-ignore
    this.element = svg(
      'svg',
      { class: 'face', viewBox: '0 0 200 200', 'aria-hidden': 'true' },
      svg('path', { class: 'face-shoulders', d: SHOULDERS }),
      this.#head,
    );
    this.element.style.setProperty('--hue', String(hueOf(actor.persona)));
    this.draw(performance.now(), true);
  }

  readonly #mouthClip = svg('path');

  set actor(actor: Actor) {
    this.#actor = actor;
  }

  /** Moves on to time `now`, ms. `still`: without movement nobody asked for. */
  draw(now: number, still: boolean): void {
    shapeOf(this.#actor.mouth, this.#wanted);
    const shape = this.#shape;
    shape.open += (this.#wanted.open - shape.open) * MOUTH_EASE;
    shape.wide += (this.#wanted.wide - shape.wide) * MOUTH_EASE;
    shape.round += (this.#wanted.round - shape.round) * MOUTH_EASE;
    const path = mouthPath(shape);
    if (path !== this.#drawn) {
      this.#drawn = path;
      this.#mouth.setAttribute('d', path);
      this.#mouthClip.setAttribute('d', path);
      this.#tongue.setAttribute('cy', (8 + 16 * shape.open).toFixed(1));
    }
    this.#eyes.style.transform = `scaleY(${this.#lids(now, still)})`;
    if (!still) {
      const tilt = Math.sin(now / 1900 + this.#sway) * 1.1;
      const nod = Math.sin(now / 2700 + this.#sway) * 1.2 + shape.open * 1.5;
      this.#head.setAttribute(
        'transform',
        `rotate(${tilt.toFixed(2)} 100 170) translate(0 ${nod.toFixed(2)})`,
      );
    }
  }

  /** How open the eyes are: shut while held, wide when listening, now and then a blink. */
  #lids(now: number, still: boolean): number {
    const { held, turn } = this.#actor;
    if (held) return 0.12;
    if (!still && now > this.#blinkAt) {
      if (now > this.#blinkAt + 130) this.#blinkAt = now + 2200 + Math.random() * 3500;
      return 0.12;
    }
    return turn === 'listening' ? 1.12 : 1;
  }
}

let made = 0;

function eye(x: number): SVGGElement {
  return svg(
    'g',
    {},
    svg('ellipse', { class: 'face-eye', cx: x, cy: 96, rx: 6, ry: 7.5 }),
    svg('circle', { class: 'face-glint', cx: x + 2, cy: 93, r: 2 }),
  );
}
