import { describe, expect, it } from 'vitest';
import { FRAME_SAMPLES } from '../../sidecar/audio';
import type { Sound } from '../../sidecar/scene/ear';
import { Ears, MERGE_AFTER_TICKS } from '../../sidecar/scene/ears';
import type { SoundSource } from '../../sidecar/wire/messages';
import { tone } from './harness';

const sound = (pcm: Float32Array | null, level = pcm ? 0.1 : 0): Sound => ({
  pcm,
  guarded: pcm,
  recentLevel: level,
});
const constant = (value: number) => new Float32Array(FRAME_SAMPLES).fill(value);

class Room {
  readonly ears = new Ears('scene1');
  readonly mics = new Map<SoundSource, Sound>();
  readonly npcs = new Map<SoundSource, Sound>();

  constructor(...npcs: string[]) {
    for (const npc of npcs) this.ears.add(npc, false);
  }
  tick(): void {
    this.ears.mix(this.mics, this.npcs);
  }
  heard(npc: string): Float32Array | null {
    return this.ears.of(npc)!.pcm;
  }
}

describe('ears', () => {
  it('hear every microphone as it is, and no other NPC, by default', () => {
    const room = new Room('aldric');
    const pcm = tone(300, 0);
    room.mics.set('mic:player', sound(pcm));
    room.npcs.set('npc:brenna', sound(constant(0.5)));
    room.tick();
    expect(room.heard('aldric')).toBe(pcm);
  });

  it('add up several microphones, sample by sample', () => {
    const room = new Room('aldric');
    const [a, b] = [tone(300, 0, 0.3), tone(512, 0, 0.4)];
    room.mics.set('mic:a', sound(a)).set('mic:b', sound(b));
    room.tick();
    expect(room.heard('aldric')).toEqual(a.map((x, i) => Math.fround(x + b[i]!)));
  });

  it('are silent, not zeros, where nothing sounds', () => {
    const room = new Room('aldric');
    room.mics.set('mic:a', sound(null)).set('mic:b', sound(null));
    room.tick();
    expect(room.heard('aldric')).toBeNull();
  });

  it('move to a changed gain in a straight line over one frame', () => {
    const room = new Room('aldric');
    room.mics.set('mic:player', sound(constant(0.5)));
    room.tick();
    room.ears.hear('aldric', 'mic:player', { gain: 0.5, muffle: 0 });
    room.tick();
    const ramp = room.heard('aldric')!;
    expect(ramp[0]).toBeCloseTo(0.5, 3);
    expect(ramp[FRAME_SAMPLES / 2 - 1]).toBeCloseTo(0.375, 6);
    expect(ramp[FRAME_SAMPLES - 1]).toBeCloseTo(0.25, 6);
    room.tick();
    expect(room.heard('aldric')).toEqual(constant(0.25));
  });

  it('hear nothing of a source at gain 0', () => {
    const room = new Room('aldric');
    room.mics.set('mic:player', sound(constant(0.5)));
    room.ears.hear('aldric', 'mic:player', { gain: 0, muffle: 0 });
    room.tick();
    room.tick();
    expect(room.heard('aldric')).toBeNull();
  });

  it('hear another NPC where they are told to', () => {
    const room = new Room('aldric', 'brenna');
    room.npcs.set('npc:brenna', sound(constant(0.4)));
    room.ears.hear('aldric', 'npc:brenna', { gain: 0.5, muffle: 0 });
    room.tick();
    room.tick();
    expect(room.heard('aldric')).toEqual(constant(0.2).map((x) => x));
    expect(room.heard('brenna')).toBeNull();
  });

  it('hear a muffled source duller, and its ring once it has ended', () => {
    const room = new Room('aldric');
    room.ears.hear('aldric', 'mic:player', { gain: 1, muffle: 1 });
    let low = 0;
    let high = 0;
    for (let i = 0; i < 12; i++) {
      room.mics.set('mic:player', sound(tone(150, i)));
      room.tick();
      low = Math.max(...room.heard('aldric')!);
    }
    for (let i = 0; i < 12; i++) {
      room.mics.set('mic:player', sound(tone(4000, i)));
      room.tick();
      high = Math.max(...room.heard('aldric')!);
    }
    expect(low).toBeGreaterThan(0.2);
    expect(high).toBeLessThan(0.01);
    room.mics.set('mic:player', sound(null));
    room.tick();
    expect(room.heard('aldric')).not.toBeNull();
    room.tick();
    expect(room.heard('aldric')).toBeNull();
  });

  it('keep a mix inside -1..1', () => {
    const room = new Room('aldric');
    room.mics.set('mic:a', sound(constant(0.9))).set('mic:b', sound(constant(0.9)));
    room.tick();
    expect(Math.max(...room.heard('aldric')!)).toBeLessThanOrEqual(1);
  });

  it('name the source that is loudest to them', () => {
    const room = new Room('aldric');
    room.mics.set('mic:near', sound(constant(0.1), 0.1)).set('mic:far', sound(constant(0.3), 0.3));
    room.npcs.set('npc:brenna', sound(constant(0.5), 0.5));
    room.tick();
    expect(room.ears.of('aldric')!.loudest).toBe('mic:far');
    room.ears.hear('aldric', 'mic:far', { gain: 0.1, muffle: 0 });
    room.tick();
    expect(room.ears.of('aldric')!.loudest).toBe('mic:near');
    room.ears.hear('aldric', 'npc:brenna', { gain: 1, muffle: 0 });
    room.tick();
    expect(room.ears.of('aldric')!.loudest).toBe('npc:brenna');
  });
});

describe('sharing ears', () => {
  const cast = Array.from({ length: 64 }, (_, i) => `npc${i}`);

  it('is one ear for a cast of 64 around one player', () => {
    const room = new Room(...cast);
    room.mics.set('mic:player', sound(tone(300, 0)));
    room.tick();
    expect(room.ears.count).toBe(1);
    expect(new Set(cast.map((npc) => room.ears.of(npc)!.key)).size).toBe(1);
  });

  it('parts from the others, going on from where they were, when one hears differently', () => {
    const room = new Room('a', 'b', 'c');
    room.mics.set('mic:player', sound(constant(0.5)));
    room.tick();
    const before = room.ears.of('b')!.key;
    room.ears.hear('b', 'mic:player', { gain: 0, muffle: 0 });
    room.tick();
    expect(room.ears.count).toBe(2);
    expect(room.ears.of('b')!.key).not.toBe(before);
    expect(room.ears.of('a')!.key).toBe(before);
    expect(room.heard('b')![0]).toBeCloseTo(0.5, 3);
    expect(room.heard('a')).toEqual(constant(0.5));
  });

  it('keeps the name of an ear whose gains change all the time', () => {
    const room = new Room('a', 'b');
    const keys = new Set<string>();
    for (let i = 0; i < 100; i++) {
      room.ears.hear('a', 'mic:player', { gain: 1 / (2 + i), muffle: 0 });
      room.tick();
      keys.add(room.ears.of('a')!.key);
    }
    expect(keys.size).toBe(1);
  });

  it('merges ears that have been alike for a second, not before', () => {
    const room = new Room(...cast);
    for (const npc of cast) room.ears.hear(npc, 'mic:player', { gain: 0.5, muffle: 0.2 });
    room.tick();
    expect(room.ears.count).toBe(64);
    for (let i = 0; i < MERGE_AFTER_TICKS - 1; i++) room.tick();
    expect(room.ears.count).toBe(64);
    room.tick();
    expect(room.ears.count).toBe(1);
  });

  it('does not part for hearing that is what it was', () => {
    const room = new Room('a', 'b');
    room.ears.hear('a', 'mic:player', { gain: 1, muffle: 0 });
    room.ears.hear('a', 'npc:b', { gain: 0, muffle: 0 });
    expect(room.ears.count).toBe(1);
  });

  it('never gives the name of one ear to another', () => {
    const room = new Room('a', 'b', 'c');
    const owners = new Map<string, unknown>();
    for (let i = 0; i < 300; i++) {
      const npc = ['a', 'b', 'c'][i % 3]!;
      if (i % 7 === 0) {
        room.ears.remove(npc);
        room.ears.add(npc, i % 2 === 0);
      }
      room.ears.hear(npc, 'mic:player', { gain: (i % 5) / 4, muffle: 0 });
      for (let t = 0; t < i % 30; t++) room.tick();
      for (const id of ['a', 'b', 'c']) {
        const ear = room.ears.of(id)!;
        expect(owners.get(ear.key) ?? ear).toBe(ear);
        owners.set(ear.key, ear);
      }
    }
  });

  it('listens through the guard where the persona wants it, and shares that too', () => {
    const ears = new Ears('scene1');
    ears.add('a', true);
    ears.add('b', true);
    ears.add('c', false);
    const [open, guarded] = [constant(0.5), constant(0.1)];
    ears.mix(new Map([['mic:player', { pcm: open, guarded, recentLevel: 0.5 }]]), new Map());
    expect(ears.count).toBe(2);
    expect(ears.of('a')!.pcm).toBe(guarded);
    expect(ears.of('b')!.pcm).toBe(guarded);
    expect(ears.of('c')!.pcm).toBe(open);
    ears.guard('c', true);
    expect(ears.count).toBe(1);
  });
});
