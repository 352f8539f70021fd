/** What the soak runs: a game that counts and checks, and a model that has bad moments. */
import { expect } from 'vitest';
import { FRAME_SAMPLES } from '../../sidecar/audio';
import {
  Scene,
  SharedModel,
  type SceneFrame,
  type SceneSink,
  type SceneTurn,
  type SteppedClock,
} from '../../sidecar/scene';
import { MIC, type MemoryCast } from '../scene/harness';
import { FaultyMic, type Dice } from './faults';

export const PACKET_SAMPLES = FRAME_SAMPLES / 4;

/** What a game sees: it counts, checks that frames have no gaps, and plays. */
export class Game implements SceneSink {
  readonly scene: Scene;
  readonly mics = new Map<string, FaultyMic>();
  readonly #next = new Map<string, number>();
  readonly started = new Map<string, number>();
  acknowledges = true;
  micTicks = 0;
  timerTicks = 0;
  gaps = 0;
  failures = 0;
  lines = 0;

  constructor(clock: SteppedClock, model: SharedModel, cast: MemoryCast) {
    this.scene = new Scene({ clock, model, cast, sink: this });
  }
  open(mic: string, dice: Dice): void {
    this.scene.openMic(mic, MIC, {});
    this.mics.set(mic, new FaultyMic(dice, (n, bytes) => this.scene.micPacket(mic, n, bytes)));
  }
  async attach(npc: string, seed: number): Promise<void> {
    this.#next.set(npc, 0);
    await this.scene.attach(npc, { seed });
  }
  frame({ npc, n }: SceneFrame): void {
    if (this.#next.get(npc) !== n) this.gaps++;
    this.#next.set(npc, n + 1);
    // Two frames behind, as a client that buffers is.
    if (this.acknowledges && n >= 2) this.scene.played(npc, n - 2, FRAME_SAMPLES);
  }
  turn({ ev, npc }: SceneTurn): void {
    if (ev === 'npc_started') this.started.set(npc, (this.started.get(npc) ?? 0) + 1);
  }
  flush(): void {}
  transcript(): void {
    this.lines++;
  }
  held(): void {}
  micLevel(): void {}
  personaChanged(): void {}
  failed(): void {
    this.failures++;
  }
  ticked({ micDriven }: { micDriven: boolean }): void {
    if (micDriven) this.micTicks++;
    else this.timerTicks++;
  }

  /** The sidecar's counts are the connection's deeds; and every sample was heard, dropped and counted, or waits. */
  balance(primary: string): void {
    const { mics } = this.scene.stats();
    for (const [id, { ledger }] of this.mics)
      expect(mics[id]).toMatchObject({
        packets: ledger.sent,
        lost: ledger.dropped + ledger.overtaken,
        late: ledger.duplicated + ledger.overtaken,
        malformed: ledger.malformed,
      });
    const { droppedFrames, bufferedMs } = mics[primary]!;
    const heard = (this.micTicks + droppedFrames) * FRAME_SAMPLES + bufferedMs * 24;
    expect(heard).toBe(this.mics.get(primary)!.ledger.placed * PACKET_SAMPLES);
  }
}

/** A model whose host can be down or slow. */
export class TroubledModel extends SharedModel {
  mood: 'well' | 'down' | 'slow' = 'well';
  clock: SteppedClock | null = null;
  /** Steps that wait for the clock. */
  waiting = 0;
  /** Steps that failed, by the caller. */
  failed = 0;

  override async step(
    ...args: Parameters<SharedModel['step']>
  ): Promise<Awaited<ReturnType<SharedModel['step']>>> {
    if (this.mood === 'down') {
      this.failed++;
      throw new Error('the host is down');
    }
    if (this.mood === 'slow') {
      this.waiting++;
      await new Promise<void>((resolve) => this.clock!.after(130, resolve));
      this.waiting--;
    }
    return super.step(...args);
  }
}
