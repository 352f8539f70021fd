import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explain } from '../../plugins/web/src/capture/capture';
import { Packetiser } from '../../plugins/web/src/capture/packetiser';
import { endpoint } from '../../plugins/web/src/endpoint';
import { fromS16 } from '../../plugins/web/src/playback/player';
import { StandingOrders } from '../../plugins/web/src/standing-orders';

describe('Packetiser', () => {
  it('cuts any sequence of blocks into packets of exactly 480 samples, in order, little-endian', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 30 }), (lengths) => {
        const total = lengths.reduce((sum, length) => sum + length, 0);
        const samples = Float32Array.from({ length: total }, (_, i) => ((i * 37) % 2000) / 1000 - 1);
        const packets: Uint8Array[] = [];
        const packetiser = new Packetiser((pcm) => packets.push(pcm));
        let at = 0;
        for (const length of lengths) packetiser.push(samples.subarray(at, (at += length)));
        expect(packets.length).toBe(Math.floor(total / 480));
        packets.forEach((packet, p) => {
          expect(packet.length).toBe(960);
          const view = new DataView(packet.buffer);
          for (const i of [0, 1, 479])
            expect(view.getInt16(i * 2, true)).toBe(Math.round(samples[p * 480 + i]! * 32767));
        });
      }),
      { numRuns: 50 },
    );
  });

  it('clips, and tells the RMS of each packet', () => {
    const levels: number[] = [];
    const packets: Uint8Array[] = [];
    const packetiser = new Packetiser((pcm, level) => (packets.push(pcm), levels.push(level)));
    packetiser.push(new Float32Array(480).fill(0.25));
    packetiser.push(new Float32Array(480).fill(-3));
    expect(levels).toEqual([0.25, 1]);
    expect(new DataView(packets[1]!.buffer).getInt16(0, true)).toBe(-32767);
  });
});

describe('fromS16', () => {
  it('reads little-endian samples at any offset', () => {
    const bytes = Uint8Array.of(9, 0x00, 0x80, 0xff, 0x7f, 0xff, 0xff).subarray(1);
    expect([...fromS16(bytes)]).toEqual([-1, 32767 / 32768, -1 / 32768]);
  });
});

describe('endpoint', () => {
  it('takes the address as the sidecar prints it, token and all', () => {
    expect(endpoint({ url: 'http://127.0.0.1:7766/#token=abc' }, undefined)).toEqual({
      url: 'ws://127.0.0.1:7766/',
      token: 'abc',
    });
  });
  it("takes the page's own origin, secure where the page is", () => {
    expect(endpoint({}, 'https://game.example/play/level?x=1#token=t').url).toBe('wss://game.example/');
  });
  it('lets a token given beside the address win', () => {
    expect(endpoint({ url: 'ws://localhost:1/#token=old', token: 'new' }, undefined).token).toBe('new');
  });
  it('refuses a page that has no origin to connect to', () => {
    expect(() => endpoint({}, 'file:///game/index.html')).toThrow('There is no sidecar address');
  });
});

describe('explain', () => {
  for (const [name, code] of [
    ['NotAllowedError', 'mic_refused'],
    ['NotFoundError', 'mic_missing'],
    ['OverconstrainedError', 'mic_missing'],
    ['NotReadableError', 'mic_busy'],
  ])
    it(`puts ${name} into words a player can act on`, () => {
      const error = explain(Object.assign(new Error('x'), { name }));
      expect(error.code).toBe(code);
      expect(error.hint).toMatch(/\.$/);
    });
});

describe('StandingOrders', () => {
  it('tells again what is in force, in the order it was first asked, and nothing else', () => {
    const orders = new StandingOrders();
    orders.note({ t: 'set_state', vars: { weather: 'rain', gold: 3 } });
    orders.note({ t: 'say', npc: 'aldric', text: 'once' });
    orders.note({ t: 'configure', npc: 'aldric', voice: 'marta' });
    orders.note({ t: 'hold', why: 'menu' });
    orders.note({ t: 'mute', mic: 'player', on: true });
    orders.note({ t: 'set_state', vars: { gold: 4 } });
    orders.note({ t: 'configure', npc: 'aldric', patience_ms: 300 });
    orders.note({ t: 'mute', mic: 'player', on: false });
    expect([...orders]).toEqual([
      { t: 'set_state', vars: { weather: 'rain', gold: 4 } },
      { t: 'configure', npc: 'aldric', voice: 'marta', patience_ms: 300 },
      { t: 'hold', why: 'menu' },
    ]);
  });

  it('lets go of holds by reason: of one NPC, or of all', () => {
    const orders = new StandingOrders();
    orders.note({ t: 'hold', npc: 'aldric', why: 'menu' });
    orders.note({ t: 'hold', npc: 'marta', why: 'menu' });
    orders.note({ t: 'hold', why: 'cutscene' });
    orders.note({ t: 'release', npc: 'aldric', why: 'menu' });
    expect([...orders].map((order) => ('npc' in order ? order.npc : '*'))).toEqual(['marta', '*']);
    orders.note({ t: 'release', why: 'menu' });
    expect([...orders]).toEqual([{ t: 'hold', why: 'cutscene' }]);
  });

  it('forgets an NPC that was detached and a microphone that was closed', () => {
    const orders = new StandingOrders();
    orders.note({ t: 'set_hearing', npc: 'aldric', from: 'mic:player', gain: 0.5 });
    orders.note({ t: 'mute', mic: 'player', on: true });
    orders.note({ t: 'detach', npc: 'aldric' });
    orders.note({ t: 'close_mic', mic: 'player' });
    expect([...orders]).toEqual([]);
  });
});
