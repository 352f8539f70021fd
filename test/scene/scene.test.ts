import { describe, expect, it } from 'vitest';
import { MIC, Stage, tone } from './harness';

describe('a scene', () => {
  it('counts frames of an NPC from 0, one a tick, by the timer where there is no microphone', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', { greet: false });
    await stage.pass(800);
    expect(stage.sink.of('aldric').map((f) => f.n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(stage.sink.ticks.every((t) => !t.micDriven)).toBe(true);
  });

  it('answers a microphone frame in the tick it makes', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', { greet: false });
    stage.scene.openMic('player', MIC, {});
    for (let i = 0; i < 20; i++) await stage.frame({ player: tone(300, i) });
    expect(stage.sink.ticks.length).toBe(20);
    expect(stage.sink.ticks.every((t) => t.micDriven)).toBe(true);
    expect(stage.sink.turns[0]).toEqual({ ev: 'player_started', npc: 'aldric', n: 0, from: 'mic:player' });
  });
});
