/** Where voices come from. Web Audio's y is up, so the room's x and y are its x and z; the listener faces up the screen. */

const GLIDE_S = 0.06;

/** One character's voice on its way to the player's ears: a wall that may be there, and a place. */
export class Speaker {
  #context;
  #wall;

  constructor(context) {
    this.#context = context;
    this.#wall = new BiquadFilterNode(context, { type: 'lowpass', frequency: 20_000 });
    this.panner = new PannerNode(context, {
      panningModel: 'HRTF',
      distanceModel: 'inverse',
      refDistance: 1.5,
      rolloffFactor: 1.4,
    });
    this.#wall.connect(this.panner).connect(context.destination);
  }

  /** What goes to `attach` as `panner`: the first node of the two. */
  get input() {
    return this.#wall;
  }

  place({ x, y }, behindWall) {
    const { currentTime } = this.#context;
    glide(this.panner.positionX, x, currentTime);
    glide(this.panner.positionZ, y, currentTime);
    glide(this.#wall.frequency, behindWall ? 900 : 20_000, currentTime);
  }

  disconnect() {
    this.panner.disconnect();
  }
}

export function placeListener({ listener, currentTime }, { x, y }) {
  // Firefox has no parameters here yet.
  if (!listener.positionX) return listener.setPosition(x, 0, y);
  glide(listener.positionX, x, currentTime);
  glide(listener.positionZ, y, currentTime);
}

/** A jump would click. */
const glide = (parameter, value, now) => parameter.setTargetAtTime(value, now, GLIDE_S);
