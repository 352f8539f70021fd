/**
 * Ten simulated minutes of talk over bad connections: three games on one model, one well-behaved, one that never
 * acknowledges a frame, one that vanishes and comes back. Nothing may grow, nobody may get stuck, and the books of
 * what was lost have to balance to the packet.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { FRAME_MS } from '../../sidecar/audio';
import type { DuplexModel } from '../../sidecar/duplex';
import { SteppedClock, converse } from '../../sidecar/scene';
import { LINES_KEPT } from '../../sidecar/scene/transcript';
import { createUnderstudy } from '../../sidecar/understudy';
import { MemoryCast, f32, persona, tone } from '../scene/harness';
import { ScriptedModel } from '../scene/scripted-model';
import { Dice } from './faults';
import { Game, PACKET_SAMPLES, TroubledModel } from './game';

const PACKET_MS = 20;
const PACKETS_A_FRAME = FRAME_MS / PACKET_MS;
const MINUTES = 10;
const IDS = ['aldric', 'brenna', 'corin', 'dara', 'edda'] as const;
/** The player speaks for two seconds of every seven. */
const ROUND_FRAMES = 88;
const SPEECH_FRAMES = 25;

const LINES = {
  greeting: ['Well met, stranger, and welcome to the forge'],
  replies: ['Aye to that', 'So you say'],
  farewell: ['Fare well'],
};
const newCast = () => new MemoryCast(...IDS.map((id) => persona(id, { lines: LINES })));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
function heapBytes(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** Two seconds of a voice that a speech detector takes for one: the understudy's own. */
async function recordSpeech(): Promise<Float32Array> {
  const model = createUnderstudy({ realtime: false });
  await model.start();
  try {
    const options = { persona: 'aldric', seed: 1, greet: true, player: null, seconds: 3 };
    const { voice } = await converse({ model, cast: newCast(), ...options });
    const first = voice.findIndex((x) => Math.abs(x) > 0.01);
    return voice.slice(first, first + SPEECH_FRAMES * PACKETS_A_FRAME * PACKET_SAMPLES);
  } finally {
    await model.stop();
  }
}

class Soak {
  readonly clock = new SteppedClock();
  readonly cast = newCast();
  readonly dice = new Dice(20_260_101);
  readonly model: TroubledModel;
  readonly good: Game;
  readonly deaf: Game;
  fleeting: Game;
  /** Failed steps of games that are gone. */
  failedBefore = 0;
  vanished = 0;
  strays = 0;
  readonly #speech: Uint8Array[];
  readonly #silence = f32(new Float32Array(PACKET_SAMPLES));

  constructor(model: DuplexModel, speech: Float32Array) {
    this.#speech = Array.from({ length: SPEECH_FRAMES * PACKETS_A_FRAME }, (_, i) =>
      f32(speech.slice(i * PACKET_SAMPLES, (i + 1) * PACKET_SAMPLES)),
    );
    this.model = new TroubledModel(model);
    this.model.clock = this.clock;
    this.good = this.#newGame('player');
    this.deaf = this.#newGame('first', 'second');
    this.deaf.acknowledges = false;
    this.fleeting = this.#newGame('player');
  }

  get games(): Game[] {
    return [this.good, this.deaf, this.fleeting];
  }

  #newGame(...mics: string[]): Game {
    const game = new Game(this.clock, this.model, this.cast);
    for (const mic of mics) game.open(mic, this.dice);
    return game;
  }

  async begin(): Promise<void> {
    for (const id of IDS) await this.good.attach(id, 1);
    for (const id of IDS.slice(0, 2)) await this.deaf.attach(id, 2);
    await this.fleeting.attach('aldric', 3);
  }

  /** One frame of time; `spoken`: which frame of the speech the players are in. */
  async frame(spoken: number | null): Promise<void> {
    for (let part = 0; part < PACKETS_A_FRAME; part++) {
      this.clock.advance(PACKET_MS);
      const packet = spoken === null ? this.#silence : this.#speech[spoken * PACKETS_A_FRAME + part]!;
      for (const game of this.games) for (const mic of game.mics.values()) mic.packet(packet);
      await this.#settle();
    }
  }

  async #settle(): Promise<void> {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    // A slow model waits for the clock, which waits for this.
    if (this.model.mood !== 'slow' && this.model.waiting === 0)
      await Promise.all(this.games.map((game) => game.scene.settled()));
  }

  /** A game is gone in the middle of everything, and another comes. */
  async vanish(): Promise<void> {
    const gone = this.fleeting;
    this.failedBefore += gone.scene.stats().failedSteps;
    await gone.scene.close();
    expect(gone.gaps).toBe(0);
    this.fleeting = this.#newGame('player');
    await this.fleeting.attach('aldric', 3);
    this.vanished++;
  }

  changePersona(): void {
    const id = this.dice.pick(IDS);
    const replies = Array.from(
      { length: 3 },
      () => `Reply ${this.dice.pick(['one', 'two', 'three', 'four'])}`,
    );
    this.cast.change(persona(id, { lines: { ...LINES, replies } }), ['lines.replies'], this.clock.now());
  }

  /** Something a game might do. */
  async meddle(): Promise<void> {
    const { dice } = this;
    const { scene } = this.good;
    const id = dice.pick(IDS);
    if (!scene.npcs().some(({ npc }) => npc === id)) return this.good.attach(id, 4);
    const deeds = [
      () => scene.detach(id, {}),
      () => void scene.detach(id, { farewell: true }),
      () => scene.hold(id, 'menu', dice.pick(['cut', 'finish_word'])),
      () => scene.release(id, 'menu'),
      () => scene.muteNpc(id, dice.chance(0.5)),
      () => scene.setHearing(id, 'mic:player', dice.next(), dice.next()),
      () => scene.say(id, 'Something the game wants said', dice.pick(['now', 'queue'])),
      () => scene.interrupt(id),
    ];
    await dice.pick(deeds)();
  }

  expectBounded(): void {
    let npcs = 0;
    for (const { scene } of this.games) {
      npcs += scene.npcs().length;
      for (const mic of Object.values(scene.stats().mics)) expect(mic.bufferedMs).toBeLessThan(240);
      for (const { lines } of scene.transcript()) expect(lines.length).toBeLessThanOrEqual(LINES_KEPT);
    }
    expect(this.model.seats).toBe(npcs);
    expect(this.clock.pending).toBeLessThanOrEqual(6);
  }

  /** Everybody is let go, and the connections are good again. */
  makePeace(): void {
    for (const { scene, mics } of this.games) {
      for (const mic of mics.values()) mic.honest = true;
      for (const { npc } of scene.npcs()) {
        scene.release(npc, 'menu');
        scene.muteNpc(npc, false);
        scene.setHearing(npc, `mic:${[...mics.keys()][0]!}`, 1, 0);
      }
    }
  }
}

async function runSoak(model: DuplexModel, speech: Float32Array): Promise<void> {
  const soak = new Soak(model, speech);
  const { good, deaf, clock } = soak;
  await soak.begin();
  let heapThen = 0;
  for (let tick = 0; tick < (MINUTES * 60_000) / FRAME_MS; tick++) {
    const phase = tick % ROUND_FRAMES;
    await soak.frame(phase < SPEECH_FRAMES ? phase : null);
    if (tick % 40 === 7) {
      good.scene.micPacket('ghost', tick, new Uint8Array(4));
      soak.strays++;
    }
    if (tick % 97 === 50) soak.changePersona();
    if (tick % 61 === 30) await soak.meddle();
    if (tick % 250 === 200) await soak.vanish();
    // Every two minutes the model's host goes down for a second, and is slow for another.
    const bad = tick % 1500;
    soak.model.mood = bad >= 700 && bad < 712 ? 'down' : bad >= 1400 && bad < 1412 ? 'slow' : 'well';
    if (tick % 100 === 99) soak.expectBounded();
    if (tick === (2 * 60_000) / FRAME_MS) heapThen = heapBytes();
  }

  soak.makePeace();
  // Farewells under way come to their end.
  for (let i = 0; i < 200; i++) await soak.frame(null);
  const heapNow = heapBytes();
  for (const game of soak.games) game.started.clear();
  for (let i = 0; i < SPEECH_FRAMES; i++) await soak.frame(i);
  for (let i = 0; i < 2 * SPEECH_FRAMES; i++) await soak.frame(null);
  for (const game of soak.games) {
    const npcs = game.scene.npcs().map(({ npc }) => npc);
    expect(npcs.length).toBeGreaterThan(0);
    expect([...game.started.keys()].sort()).toEqual([...npcs].sort());
    expect(game.gaps).toBe(0);
  }

  good.balance('player');
  deaf.balance('first');
  soak.fleeting.balance('player');
  for (const count of Object.values(good.mics.get('player')!.ledger)) expect(count).toBeGreaterThan(100);
  expect(good.scene.stats().mics.player!.droppedFrames).toBeGreaterThan(100);
  expect(good.scene.stats().strayPackets).toBe(soak.strays);
  const failed = soak.games.reduce((sum, { scene }) => sum + scene.stats().failedSteps, soak.failedBefore);
  expect(failed).toBe(soak.model.failed);
  expect(good.failures).toBe(5);
  expect(soak.vanished).toBe(30);
  // No time was lost: every slot was a tick, or counted as skipped.
  const { ticks, skippedTicks } = good.scene.stats();
  expect(skippedTicks).toBeGreaterThan(0);
  expect(Math.abs(ticks + skippedTicks - clock.now() / FRAME_MS)).toBeLessThanOrEqual(8);
  // Transcripts may still fill; anything that grows with time is more than this.
  expect(heapNow - heapThen).toBeLessThan(1_500_000);

  for (const game of soak.games) await game.scene.close();
  expect(soak.model.seats).toBe(0);
  expect(clock.pending).toBe(0);
}

describe('ten minutes of talk neither grow, nor get stuck, nor lose count', () => {
  it('with a scripted model', async () => {
    const model = new ScriptedModel();
    model.keepSteps = false;
    await runSoak(model, tone(300, 0, 0.4, SPEECH_FRAMES * PACKETS_A_FRAME * PACKET_SAMPLES));
    expect(model.seats.size).toBe(0);
  });

  it('with the understudy', async () => {
    const speech = await recordSpeech();
    const model = createUnderstudy({ realtime: false });
    await model.start();
    try {
      await runSoak(model, speech);
    } finally {
      await model.stop();
    }
  });
});
