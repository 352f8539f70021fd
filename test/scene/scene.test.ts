import { describe, expect, it } from 'vitest';
import { FRAME_MS, FRAME_SAMPLES } from '../../sidecar/audio';
import { FAREWELL_FRAMES } from '../../sidecar/scene/npc';
import { Scene, SteppedClock } from '../../sidecar/scene';
import { MIC, MemoryCast, RecordingSink, Stage, persona, tone } from './harness';
import { ScriptedModel, toneHz } from './scripted-model';

const QUIET = { greet: false } as const;
const speech = (i: number) => tone(300, i, 0.5);
const code = (expected: string) => expect.objectContaining({ code: expected });

describe('a scene', () => {
  it('counts frames of an NPC from 0, one a tick, by the timer where there is no microphone', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    await stage.pass(800);
    expect(stage.sink.of('aldric').map((f) => f.n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(stage.sink.ticks.every((t) => !t.micDriven)).toBe(true);
  });

  it('answers a microphone frame in the tick it makes', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.scene.openMic('player', MIC, {});
    for (let i = 0; i < 20; i++) await stage.frame({ player: speech(i) });
    expect(stage.sink.ticks.length).toBe(20);
    expect(stage.sink.ticks.every((t) => t.micDriven)).toBe(true);
    expect(stage.sink.turns[0]).toEqual({ ev: 'player_started', npc: 'aldric', n: 0, from: 'mic:player' });
    expect(stage.model.heard.get(1)!.pcm).toEqual(speech(19));
  });

  it('gives each NPC its own count', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    await stage.pass(400);
    await stage.scene.attach('brenna', QUIET);
    await stage.pass(160);
    expect(stage.sink.of('aldric').at(-1)!.n).toBe(6);
    expect(stage.sink.of('brenna').map((f) => f.n)).toEqual([0, 1]);
  });

  it('tells turn events first, then flushes, then frames, all with the frame they belong to', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    await stage.scene.attach('brenna', QUIET);
    await stage.pass(80);
    for (const id of ['aldric', 'brenna'])
      stage.seatOf(id).script.push({
        events: [
          { kind: 'npc_interrupted', flush: true },
          { kind: 'player_stopped', ms: 400 },
        ],
      });
    stage.sink.log.length = 0;
    await stage.pass(80);
    expect(stage.sink.log.filter((entry) => !entry.startsWith('transcript'))).toEqual([
      'npc_interrupted aldric 1',
      'player_stopped aldric 1',
      'npc_interrupted brenna 1',
      'player_stopped brenna 1',
      'flush aldric 1',
      'flush brenna 1',
      'frame aldric 1',
      'frame brenna 1',
    ]);
  });

  it('does not flush for an NPC that ends its word first', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.seatOf('aldric').script.push({ events: [{ kind: 'npc_interrupted', flush: false }] });
    await stage.pass(80);
    expect(stage.sink.log).toEqual(['npc_interrupted aldric 0', 'frame aldric 0']);
  });

  it('lets a cast of 64 share one ear', async () => {
    const ids = Array.from({ length: 64 }, (_, i) => `guard${i}`);
    const stage = new Stage({ cast: new MemoryCast(...ids.map((id) => persona(id))) });
    await Promise.all(ids.map((id) => stage.scene.attach(id, QUIET)));
    stage.scene.openMic('player', MIC, {});
    await stage.frame({ player: speech(0) });
    expect(new Set(stage.model.steps.at(-1)!.map(({ ear }) => ear)).size).toBe(1);
    await expect(stage.scene.attach('one-more', { persona: 'guard0' })).rejects.toThrow(code('too_many'));
  });

  it('has no name of an ear in common with another scene of the same model', async () => {
    const [a, b] = [new Stage(), new Stage()];
    for (const stage of [a, b]) {
      await stage.scene.attach('aldric', QUIET);
      await stage.pass(80);
    }
    expect(a.model.steps[0]![0]!.ear).not.toBe(b.model.steps[0]![0]!.ear);
  });

  it("puts one NPC's last frame into another's ear", async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    await stage.scene.attach('brenna', QUIET);
    stage.scene.setHearing('brenna', 'npc:aldric', 0.5, 0);
    await stage.pass(160);
    stage.scene.say('aldric', 'Hear this', 'queue');
    await stage.pass(160);
    const spoken = stage.sink.of('aldric').at(-2)!.pcm!;
    expect(stage.model.heard.get(stage.seatOf('brenna').seat)!.pcm).toEqual(spoken.map((x) => x * 0.5));
    expect(stage.model.heard.get(stage.seatOf('aldric').seat)!.pcm).toBeNull();
    const started = stage.sink.turns.find((turn) => turn.ev === 'player_started');
    expect(started).toMatchObject({ npc: 'brenna', from: 'npc:aldric' });
  });

  it('writes down what one NPC heard another say, line by line', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    await stage.scene.attach('brenna', QUIET);
    stage.scene.setHearing('brenna', 'npc:aldric', 0.02, 0);
    stage.scene.say('aldric', 'too soft to hear', 'queue');
    await stage.pass(2000);
    stage.scene.setHearing('brenna', 'npc:aldric', 1, 0);
    stage.scene.say('aldric', 'Hear this', 'queue');
    await stage.pass(2000);
    stage.scene.say('aldric', 'And that', 'queue');
    await stage.pass(2000);
    const heard = stage.sink.lines.filter(({ npc, line }) => npc === 'brenna' && line.who === 'aldric');
    expect(heard.map(({ line }) => [line.text, line.heard, line.cut])).toEqual([
      ['Hear this', 'Hear this', false],
      ['And that', 'And that', false],
    ]);
  });

  it("keeps an NPC's backchannels from other NPCs, whom they would cut in on", async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    await stage.scene.attach('brenna', QUIET);
    stage.scene.setHearing('aldric', 'npc:brenna', 1, 0);
    stage.scene.say('aldric', 'one two three four five', 'queue');
    const pcm = tone(300, 0);
    const events = [{ kind: 'npc_backchannelled', text: 'aye' }] as const;
    stage
      .seatOf('brenna')
      .script.push({ turn: 'backchannel', pcm, text: ' aye', events }, { turn: 'backchannel', pcm });
    await stage.pass(2000);
    expect(stage.sink.of('brenna')[0]!.pcm).toEqual(pcm);
    expect(stage.sink.turns.filter((turn) => turn.npc === 'aldric').map((turn) => turn.ev)).toEqual([
      'npc_started',
      'npc_stopped',
    ]);
  });

  it('mixes several microphones, the second steered to the tick, without clicks', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.scene.openMic('a', MIC, {});
    stage.scene.openMic('b', MIC, {});
    // The second clock runs 500 ppm fast: one sample more in 2000.
    let samples = 0;
    const heard: number[] = [];
    for (let i = 0; i < 500; i++) {
      for (let part = 1; part <= 4; part++) {
        stage.clock.advance(FRAME_MS / 4);
        const upTo = Math.round((i + part / 4) * FRAME_SAMPLES * 1.0005);
        const at = (k: number) => 0.3 * Math.sin((2 * Math.PI * 440 * (samples + k)) / 24_012);
        stage.send(
          'b',
          Float32Array.from({ length: upTo - samples }, (_, k) => at(k)),
        );
        samples = upTo;
      }
      stage.send('a', new Float32Array(FRAME_SAMPLES));
      await stage.scene.settled();
      if (i >= 300) heard.push(...stage.model.heard.get(1)!.pcm!);
    }
    const stats = stage.scene.stats().mics.b!;
    expect(stats.driftPpm).toBeGreaterThan(400);
    expect(stats.driftPpm).toBeLessThan(600);
    expect(stats).toMatchObject({ droppedFrames: 0, lost: 0, late: 0 });
    expect(stage.scene.stats().mics.a!.driftPpm).toBe(0);
    // A click is energy away from the tone.
    expect(residue(heard, 440)).toBeLessThan(0.003);
  });

  it('reaches a changed gain over one frame', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.scene.say('aldric', 'a long enough line to hear', 'queue');
    await stage.pass(160);
    await stage.scene.configure('aldric', { gain: 0.5 });
    await stage.pass(160);
    const [, before, ramp, after] = stage.sink.of('aldric');
    const peak = (pcm: Float32Array, from: number, to: number) => Math.max(...pcm.subarray(from, to));
    expect(peak(before!.pcm!, 0, FRAME_SAMPLES)).toBeCloseTo(0.25, 3);
    expect(peak(ramp!.pcm!, 0, 200)).toBeGreaterThan(0.23);
    expect(peak(ramp!.pcm!, 1700, 1920)).toBeLessThan(0.14);
    expect(peak(after!.pcm!, 0, FRAME_SAMPLES)).toBeCloseTo(0.125, 3);
    expect(after!.level).toBeCloseTo(0.125 / Math.SQRT2, 3);
    expect(toneHz(1)).toBe(212.5);
  });

  it('lets a muted NPC go on unheard, unseen and unwritten', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.scene.say('aldric', 'one two three four', 'queue');
    await stage.pass(3 * FRAME_MS);
    stage.scene.muteNpc('aldric', true);
    await stage.pass(6 * FRAME_MS);
    stage.scene.muteNpc('aldric', false);
    await stage.pass(60 * FRAME_MS);
    expect(stage.sink.words('aldric')).toBe('one four');
    const muted = stage.sink.of('aldric').slice(4, 9);
    expect(muted.every((f) => f.pcm === null && f.level === 0)).toBe(true);
    expect(stage.sink.lines[0]!.line).toMatchObject({
      text: 'one two three four',
      heard: 'one four',
      cut: true,
    });
  });

  it('fires cues in the frame that completes them', async () => {
    const smith = persona('aldric', { cues: [{ id: 'deal', says: ['* gold'] }] });
    const stage = new Stage({ cast: new MemoryCast(smith) });
    await stage.scene.attach('aldric', QUIET);
    stage.scene.say('aldric', 'For ten gold, then', 'queue');
    await stage.pass(12 * FRAME_MS);
    expect(stage.sink.of('aldric').flatMap((f) => f.cues.map((cue) => [cue, f.n]))).toEqual([['deal', 6]]);
  });

  it('writes down what was heard, from what was played', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.scene.openMic('player', MIC, {});
    stage.scene.say('aldric', 'one two three four', 'queue');
    for (let i = 0; i < 7; i++) await stage.frame({ player: new Float32Array(FRAME_SAMPLES) });
    // The client is two frames behind.
    stage.scene.played('aldric', 4, FRAME_SAMPLES);
    for (let i = 0; i < 20; i++)
      await stage.frame({ player: i < 8 ? speech(i) : new Float32Array(FRAME_SAMPLES) });
    stage.scene.played('aldric', 20, FRAME_SAMPLES);
    expect(stage.scene.transcript('aldric')[0]!.lines).toEqual([
      { who: 'aldric', n: 0, text: 'one two three four', heard: 'one two—', cut: true, ms: 400 },
      { who: 'player', n: 7, text: '', heard: '', cut: false, ms: 640 },
    ]);
  });
});

describe('attaching and detaching', () => {
  it('resolves when primed, and says what it cost', async () => {
    const stage = new Stage();
    let primed = () => {};
    stage.model.beforeSeat = () => new Promise((resolve) => (primed = resolve));
    const attached = stage.scene.attach('aldric', QUIET);
    stage.clock.advance(35);
    primed();
    await expect(attached).resolves.toEqual({
      npc: 'aldric',
      persona: 'aldric',
      name: 'aldric',
      held: false,
      muted: false,
      primeMs: 35,
    });
  });

  it('tells the model what changed while it was being primed', async () => {
    const cast = new MemoryCast(persona('aldric', { role: 'You have {gold} gold.', state: { gold: 1 } }));
    const stage = new Stage({ cast });
    let primed = () => {};
    stage.model.beforeSeat = () => new Promise((resolve) => (primed = resolve));
    const attached = stage.scene.attach('aldric', QUIET);
    await stage.scene.setState({ gold: 7 });
    stage.scene.hold(undefined, 'menu', 'cut');
    primed();
    await attached;
    await stage.pass(80);
    expect(stage.model.updates.map((u) => u.brief.prompt)).toEqual(['You have 7 gold.']);
    expect(stage.model.calls).toEqual(['hold 1 true cut']);
  });

  it('can be taken back while it is being primed', async () => {
    const stage = new Stage();
    let primed = () => {};
    stage.model.beforeSeat = () => new Promise((resolve) => (primed = resolve));
    const attached = stage.scene.attach('aldric', QUIET);
    await stage.scene.detach('aldric', {});
    primed();
    await expect(attached).rejects.toThrow(code('unknown_npc'));
    expect(stage.model.seats.size).toBe(0);
    stage.model.beforeSeat = null;
    await expect(stage.scene.attach('aldric', QUIET)).resolves.toMatchObject({ npc: 'aldric' });
  });

  it('leaves nothing behind when priming fails', async () => {
    const stage = new Stage();
    stage.model.beforeSeat = () => {
      throw new Error('no memory');
    };
    await expect(stage.scene.attach('aldric', QUIET)).rejects.toThrow('no memory');
    stage.model.beforeSeat = null;
    await expect(stage.scene.attach('aldric', QUIET)).resolves.toMatchObject({ npc: 'aldric' });
  });

  it('frees a seat only when no step is under way', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    let step = () => {};
    stage.model.beforeStep = () => new Promise((resolve) => (step = resolve));
    stage.clock.advance(80);
    await stage.scene.detach('aldric', {});
    stage.model.beforeStep = null;
    step();
    await stage.scene.settled();
    // The scripted model throws when a seat is freed during a step.
    expect(stage.model.calls).toEqual(['unseat 1']);
    expect(stage.sink.failures).toEqual([]);
    expect(stage.sink.frames).toEqual([]);
  });

  it('lets an NPC say its farewell, and waits until it has been heard', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    await stage.pass(80);
    stage.scene.played('aldric', 0, FRAME_SAMPLES);
    let gone = false;
    const left = stage.scene.detach('aldric', { farewell: true }).then(() => (gone = true));
    await stage.pass(8 * FRAME_MS);
    expect(stage.sink.words('aldric')).toBe('Fare well');
    expect(gone).toBe(false);
    stage.scene.played('aldric', 8, FRAME_SAMPLES);
    await stage.pass(FRAME_MS);
    await left;
    expect(stage.sink.lines.at(-1)!.line).toMatchObject({ heard: 'Fare well', cut: false });
    expect(stage.model.seats.size).toBe(0);
    expect(() => stage.scene.transcript('aldric')).toThrow(code('unknown_npc'));
  });

  it('does not take the end of the line it was in for the farewell', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.scene.say('aldric', 'one two', 'queue');
    await stage.pass(160);
    const left = stage.scene.detach('aldric', { farewell: true });
    await stage.pass(60 * FRAME_MS);
    await left;
    expect(stage.sink.words('aldric')).toBe('one two Fare well');
  });

  it('does not wait for a farewell longer than 15 s', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    await stage.pass(80);
    const seat = stage.seatOf('aldric');
    for (let i = 0; i < 300; i++) seat.script.push({ turn: 'speaking' });
    const left = stage.scene.detach('aldric', { farewell: true });
    await stage.pass(FAREWELL_FRAMES * FRAME_MS);
    await left;
    expect(stage.scene.npcs()).toEqual([]);
  });

  it('goes at once when held, when it has nothing to say, or when told again without', async () => {
    const cast = new MemoryCast(persona('aldric'), persona('brenna', { lines: {} }));
    const stage = new Stage({ cast });
    await stage.scene.attach('aldric', QUIET);
    stage.scene.hold('aldric', 'cutscene', 'cut');
    await stage.scene.detach('aldric', { farewell: true });
    await stage.scene.attach('brenna', QUIET);
    await stage.scene.detach('brenna', { farewell: true });
    await stage.scene.attach('aldric', QUIET);
    const waiting = stage.scene.detach('aldric', { farewell: true });
    await stage.scene.detach('aldric', {});
    await waiting;
    expect(stage.scene.npcs()).toEqual([]);
  });

  it('refuses names it does not know with their codes', async () => {
    const { scene } = new Stage();
    await scene.attach('aldric', QUIET);
    await expect(scene.attach('aldric', QUIET)).rejects.toThrow(code('npc_exists'));
    await expect(scene.attach('zed', QUIET)).rejects.toThrow(code('unknown_persona'));
    await expect(scene.detach('zed', {})).rejects.toThrow(code('unknown_npc'));
    await expect(scene.configure('aldric', { voice: 'zed' })).rejects.toThrow(code('unknown_voice'));
    await expect(scene.setState({ a: 1 }, 'zed')).rejects.toThrow(code('unknown_npc'));
    expect(() => scene.say('zed', 'hi', 'now')).toThrow(code('unknown_npc'));
    expect(() => scene.closeMic('zed')).toThrow(code('unknown_mic'));
    expect(() => scene.muteMic('zed', true)).toThrow(code('unknown_mic'));
    expect(() => scene.setHearing('aldric', 'mic:zed', 1, 0)).toThrow(code('unknown_mic'));
    expect(() => scene.setHearing('aldric', 'npc:zed', 1, 0)).toThrow(code('unknown_npc'));
    expect(() => scene.setHearing('aldric', 'npc:aldric', 1, 0)).toThrow(code('bad_field'));
    expect(() => scene.openMic('m', { ...MIC, rate: 1 }, {})).toThrow(code('bad_audio'));
    scene.openMic('m', MIC, {});
    expect(() => scene.openMic('m', MIC, {})).toThrow(code('mic_exists'));
    scene.micPacket('zed', 0, new Uint8Array(4));
    scene.played('zed', 0, 0);
    expect(scene.stats().strayPackets).toBe(1);
  });

  it('ends with everything freed, twice if asked', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.scene.openMic('player', MIC, {});
    await stage.pass(400);
    await stage.scene.close();
    await stage.scene.close();
    expect(stage.model.seats.size).toBe(0);
    expect(stage.clock.pending).toBe(0);
    expect(stage.cast.listeners).toBe(0);
    await expect(stage.scene.attach('aldric', QUIET)).rejects.toThrow(code('unknown_scene'));
  });
});

describe('holding', () => {
  it('lasts until every reason has been released', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.scene.hold('aldric', 'menu', 'cut');
    stage.scene.hold(undefined, 'focus', 'finish_word');
    stage.scene.hold('aldric', 'menu', 'cut');
    stage.scene.release('aldric', 'menu');
    expect(stage.scene.npcs()[0]!.held).toBe(true);
    stage.scene.release('aldric', 'cutscene');
    stage.scene.release(undefined, 'focus');
    expect(stage.scene.npcs()[0]!.held).toBe(false);
    expect(stage.model.calls).toEqual([
      'hold 1 true cut',
      'hold 1 true finish_word',
      'hold 1 false finish_word',
    ]);
    expect(stage.sink.log).toEqual([
      'held aldric menu',
      'held aldric focus',
      'released aldric menu',
      'released aldric focus',
    ]);
  });

  it('of the whole scene holds those that come later too', async () => {
    const stage = new Stage();
    stage.scene.hold(undefined, 'menu', 'cut');
    expect(await stage.scene.attach('aldric', QUIET)).toMatchObject({ held: true });
    stage.scene.release(undefined, 'menu');
    expect(stage.model.calls).toEqual(['hold 1 true cut', 'hold 1 false finish_word']);
    expect(await stage.scene.attach('brenna', QUIET)).toMatchObject({ held: false });
  });
});

describe('state and overrides', () => {
  const rich = () =>
    new MemoryCast(
      persona('aldric', { role: 'You have {gold} gold.', state: { gold: 1 } }),
      persona('brenna', { role: 'You have {gold} gold.', state: { gold: 2 } }),
    );

  it('fill the persona in, for all NPCs or one, now and later', async () => {
    const stage = new Stage({ cast: rich() });
    await stage.scene.attach('aldric', QUIET);
    await stage.scene.setState({ gold: 5 });
    await stage.scene.attach('brenna', QUIET);
    await stage.scene.setState({ gold: 6 }, 'aldric');
    expect(stage.seatOf('aldric').brief.prompt).toBe('You have 6 gold.');
    expect(stage.seatOf('brenna').brief.prompt).toBe('You have 5 gold.');
  });

  it('of one NPC that its persona does not declare are named, and kept', async () => {
    const stage = new Stage({ cast: rich() });
    await stage.scene.attach('aldric', QUIET);
    expect(await stage.scene.setState({ gold: 3, glod: 4, toString: 5 }, 'aldric')).toEqual([
      'glod',
      'toString',
    ]);
    expect(await stage.scene.setState({ glod: 4 })).toEqual([]);
    stage.cast.change(persona('aldric', { role: 'You have {glod}.', state: { glod: 0 } }), ['role'], 0);
    await stage.pass(80);
    expect(stage.seatOf('aldric').brief.prompt).toBe('You have 4.');
  });

  it('do not trouble the model with what changes nothing', async () => {
    const stage = new Stage({ cast: rich() });
    await stage.scene.attach('aldric', QUIET);
    await stage.scene.setState({ weather: 'rain' });
    expect(await stage.scene.configure('aldric', { gain: 2 })).toEqual({ speed: 'instant', costMs: 0 });
    expect(stage.model.updates).toEqual([]);
  });

  it('go together when they come faster than the model takes them', async () => {
    const stage = new Stage({ cast: rich() });
    await stage.scene.attach('aldric', QUIET);
    let told = () => {};
    stage.model.beforeUpdate = () => new Promise((resolve) => (told = resolve));
    const changes = [stage.scene.setState({ gold: 10 })];
    await new Promise(setImmediate);
    for (let i = 11; i < 30; i++) changes.push(stage.scene.setState({ gold: i }));
    await stage.pass(80);
    stage.model.beforeUpdate = null;
    told();
    await Promise.all(changes);
    expect(stage.model.updates.length).toBe(2);
    expect(stage.seatOf('aldric').brief.prompt).toBe('You have 29 gold.');
  });

  it('are taken back when the model refuses them', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.model.beforeUpdate = () => {
      throw new Error('no such voice here');
    };
    await expect(stage.scene.configure('aldric', { voice: 'deep', gain: 3 })).rejects.toThrow(
      'no such voice',
    );
    stage.model.beforeUpdate = null;
    await stage.scene.configure('aldric', { patienceMs: 900 });
    expect(stage.seatOf('aldric').brief).toMatchObject({
      voice: { id: 'plain' },
      turnTaking: { patienceMs: 900 },
    });
  });

  it('are bounded', async () => {
    const stage = new Stage();
    const vars = Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`v${i}`, i]));
    await expect(stage.scene.setState(vars)).rejects.toThrow(code('too_many'));
  });
});

describe('lines an NPC is told to say', () => {
  it('wait in bounded number, and make room as they are begun', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    await stage.scene.attach('brenna', QUIET);
    for (let i = 0; i < 32; i++) stage.scene.say('aldric', `line ${i}`, 'queue');
    for (const when of ['queue', 'now'] as const)
      expect(() => stage.scene.say('aldric', 'one more', when)).toThrow(code('too_many'));
    stage.scene.say('brenna', 'not my queue', 'queue');
    await stage.pass(80);
    stage.scene.say('aldric', 'in the place of the first', 'queue');
    expect(() => stage.scene.say('aldric', 'one more', 'queue')).toThrow(code('too_many'));
    await stage.scene.detach('aldric', {});
    await stage.scene.attach('aldric', QUIET);
    stage.scene.say('aldric', 'room again', 'queue');
  });
});

describe('a changed persona', () => {
  it('reaches every NPC of it, and says which, how, and what it cost since the file changed', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    await stage.scene.attach('second', { persona: 'aldric', greet: false });
    await stage.scene.attach('brenna', QUIET);
    await stage.pass(1000);
    stage.model.receipt = { speed: 'reprime', costMs: 12 };
    stage.cast.change(
      persona('aldric', { role: 'You are somebody else.' }),
      ['role'],
      stage.clock.now() - 60,
    );
    await stage.pass(0);
    await stage.pass(80);
    expect(stage.sink.changes).toEqual([
      {
        persona: 'aldric',
        changed: ['role'],
        npcs: ['aldric', 'second'],
        speed: 'reprime',
        costMs: expect.any(Number),
      },
    ]);
    expect(stage.sink.changes[0]!.costMs).toBeGreaterThanOrEqual(60);
    expect(stage.seatOf('aldric').brief.prompt).toBe('You are somebody else.');
  });

  it('says nothing in a scene in which nobody is it', async () => {
    const stage = new Stage();
    await stage.scene.attach('brenna', QUIET);
    stage.cast.change(persona('aldric', { role: 'You are somebody else.' }), ['role'], 0);
    await stage.pass(80);
    expect(stage.sink.changes).toEqual([]);
  });

  it('is instant when the model need not know: cues', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.cast.change(persona('aldric', { cues: [{ id: 'yes', says: ['aye'] }] }), ['cues'], 0);
    await stage.pass(80);
    stage.scene.say('aldric', 'Aye', 'queue');
    await stage.pass(80);
    expect(stage.sink.changes[0]).toMatchObject({ speed: 'instant', npcs: ['aldric'] });
    expect(stage.model.updates).toEqual([]);
    expect(stage.sink.of('aldric').at(-1)!.cues).toEqual(['yes']);
  });

  it('leaves the old one live where it fails, and says so', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.model.beforeUpdate = () => {
      throw new Error('prefill failed');
    };
    stage.cast.change(persona('aldric', { role: 'New.' }), ['role'], 0);
    await stage.pass(80);
    expect(stage.sink.failures).toEqual([new Error('prefill failed')]);
    expect(stage.sink.changes).toEqual([]);
    expect(stage.seatOf('aldric').brief.prompt).toBe('You are aldric.');
    stage.model.beforeUpdate = null;
    await stage.scene.configure('aldric', { patienceMs: 900 });
    expect(stage.seatOf('aldric').brief.prompt).toBe('You are aldric.');
  });
});

describe('a failing model', () => {
  it('leaves its NPCs silent, is told of once, and is tried again every tick', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.scene.say('aldric', 'one two three four', 'queue');
    await stage.pass(160);
    stage.model.beforeStep = () => {
      throw new Error('host is down');
    };
    await stage.pass(400);
    expect(stage.sink.failures).toEqual([new Error('host is down')]);
    expect(stage.scene.stats().failedSteps).toBe(5);
    stage.model.beforeStep = null;
    await stage.pass(80);
    const frames = stage.sink.of('aldric');
    expect(frames.map((f) => f.n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(frames.map((f) => f.pcm !== null)).toEqual([true, true, false, false, false, false, false, true]);
    stage.model.beforeStep = () => {
      throw new Error('again');
    };
    await stage.pass(160);
    expect(stage.sink.failures.length).toBe(2);
  });

  it('that is slow has its deadline misses and skipped ticks counted', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.model.beforeStep = () => new Promise((resolve) => stage.clock.after(200, resolve));
    for (let i = 0; i < 400; i++) {
      stage.clock.advance(10);
      for (let k = 0; k < 12; k++) await Promise.resolve();
    }
    const stats = stage.scene.stats();
    expect(stats.deadlineMisses).toBeGreaterThan(15);
    expect(stats.skippedTicks).toBeGreaterThan(20);
    expect(stats.modelMs.p50).toBeGreaterThanOrEqual(200);
    expect(stage.sink.of('aldric').map((f) => f.n)).toEqual(stage.sink.of('aldric').map((_, i) => i));
  });
});

describe('a tick', () => {
  it('that begins late and ends over a frame after it was due is a miss, however short it was', async () => {
    let lateMs = 0;
    // As a busy event loop calls back.
    class LateClock extends SteppedClock {
      override after(ms: number, fn: () => void): () => void {
        return super.after(ms + lateMs, fn);
      }
    }
    const clock = new LateClock();
    const model = new ScriptedModel();
    model.beforeStep = () => clock.advance(20);
    const cast = new MemoryCast(persona('aldric'));
    const scene = new Scene({ clock, model, cast, sink: new RecordingSink() });
    await scene.attach('aldric', QUIET);
    const tick = async () => {
      const { ticks } = scene.stats();
      while (scene.stats().ticks === ticks) clock.advance(5);
      await scene.settled();
    };
    await tick();
    await tick();
    expect(scene.stats()).toMatchObject({ deadlineMisses: 0, tickMs: { max: 20 } });
    lateMs = 70;
    await tick();
    await tick();
    const { deadlineMisses, tickMs, modelMs } = scene.stats();
    expect(deadlineMisses).toBeGreaterThan(0);
    expect(tickMs.max).toBe(90);
    expect(modelMs.max).toBe(20);
    await scene.close();
  });
});

describe('which microphone drives the tick', () => {
  it('is the first, until another is named or it is closed', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.scene.openMic('a', MIC, {});
    stage.scene.openMic('b', MIC, {});
    const drives = async (mic: string) => {
      const before = stage.sink.ticks.length;
      for (let i = 0; i < 4; i++) await stage.frame({ [mic]: speech(i) });
      return stage.sink.ticks.slice(before).filter((t) => t.micDriven).length > 0;
    };
    expect(await drives('b')).toBe(false);
    expect(await drives('a')).toBe(true);
    stage.scene.openMic('c', MIC, { primary: true });
    expect(await drives('a')).toBe(false);
    expect(await drives('c')).toBe(true);
    stage.scene.closeMic('c');
    expect(await drives('a')).toBe(true);
  });

  it('goes on being it while muted, and is heard as silence', async () => {
    const stage = new Stage();
    await stage.scene.attach('aldric', QUIET);
    stage.scene.openMic('player', MIC, {});
    await stage.frame({ player: speech(0) });
    stage.scene.muteMic('player', true);
    for (let i = 1; i < 5; i++) await stage.frame({ player: speech(i) });
    expect(stage.sink.ticks.every((t) => t.micDriven)).toBe(true);
    expect(stage.model.heard.get(1)!.pcm).toBeNull();
    expect(stage.sink.levels.at(-1)).toEqual({ mic: 'player', level: 0, voiced: false });
    expect(stage.sink.levels[0]).toMatchObject({ voiced: true });
    expect(stage.scene.mics()).toEqual([{ mic: 'player', muted: true }]);
  });
});

/** RMS of what is left of a signal when its best-fitting sine of one frequency is taken away. */
function residue(samples: readonly number[], hz: number): number {
  let worst = 0;
  for (let from = 0; from + 2400 <= samples.length; from += 2400) {
    const part = samples.slice(from, from + 2400);
    let [sin, cos] = [0, 0];
    const at = (i: number) => (2 * Math.PI * hz * i) / 24_000;
    part.forEach((x, i) => {
      sin += (2 / 2400) * x * Math.sin(at(i));
      cos += (2 / 2400) * x * Math.cos(at(i));
    });
    const left = part.map((x, i) => x - sin * Math.sin(at(i)) - cos * Math.cos(at(i)));
    worst = Math.max(worst, Math.sqrt(left.reduce((sum, x) => sum + x * x, 0) / 2400));
  }
  return worst;
}
