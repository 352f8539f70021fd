import { describe, expect, it } from 'vitest';
import { FLITE_RATE, type FliteSettings } from '../../sidecar/understudy/tts/flite';
import { WasiCommand } from '../../sidecar/understudy/tts/wasi';
import { takeApart } from '../../sidecar/understudy/tts/wasm-data';
import { flite, fliteWasm, medianPitch } from './flite';

const TEXT = 'The northern gate is closed until dawn.';
const voice = (base: FliteSettings['base'], more: Partial<FliteSettings> = {}): FliteSettings => ({
  base,
  stretch: 1,
  ...more,
});

describe('flite in the WASI shim', () => {
  it.each(['slt', 'rms', 'awb'] as const)('%s lasts exactly as long as its phones', (base) => {
    const { pcm, phones } = flite.speak({ text: TEXT }, voice(base));
    // Phones are timed to 5 ms frames, printed to the millisecond.
    expect(Math.abs(pcm.length / FLITE_RATE - phones.at(-1)!.end)).toBeLessThan(0.0055);
    expect(phones.map(({ name }) => name).join(' ')).toBe(
      'pau dh ax n ao r dh er n g ey t ih z k l ow z d ax n t ih l d ao n pau',
    );
  });

  it('fits the phones of kal16, which speaks faster than it says', () => {
    const { pcm, phones } = flite.speak({ text: TEXT }, voice('kal16'));
    expect(phones.at(-1)!.end).toBeCloseTo(pcm.length / FLITE_RATE, 6);
  });

  it('says the same text in the same samples, whatever came before', () => {
    const once = flite.speak({ text: TEXT }, voice('slt', { pitchHz: 150 }));
    flite.speak(
      { text: 'Something else altogether, and longer, so that memory grows.' },
      voice('awb', { stretch: 2 }),
    );
    expect(flite.speak({ text: TEXT }, voice('slt', { pitchHz: 150 }))).toEqual(once);
  });

  it('takes a single word for text and not for a file', () => {
    expect(flite.speak({ text: 'Halt.' }, voice('slt')).phones.map(({ name }) => name)).toEqual([
      'pau',
      'hh',
      'ao',
      'l',
      't',
      'pau',
    ]);
  });

  it('speaks phones', () => {
    const { phones } = flite.speak({ phones: ['m', 'm', 'hh', 'm', 'm'] }, voice('awb'));
    expect(phones.map(({ name }) => name)).toEqual(['pau', 'm', 'm', 'hh', 'm', 'm', 'pau']);
  });

  it.each([
    ['slt', 120],
    ['slt', 230],
    ['awb', 90],
    ['awb', 180],
    ['kal16', 130],
  ] as const)('%s speaks at %i Hz when told to', (base, pitchHz) => {
    const { pcm } = flite.speak({ text: TEXT }, voice(base, { pitchHz, rangeHz: 4 }));
    expect(Math.abs(medianPitch(pcm, FLITE_RATE) / pitchHz - 1)).toBeLessThan(0.08);
  });

  it('stretches time', () => {
    const plain = flite.speak({ text: TEXT }, voice('slt')).pcm.length;
    expect(flite.speak({ text: TEXT }, voice('slt', { stretch: 1.5 })).pcm.length / plain).toBeCloseTo(
      1.5,
      2,
    );
  });

  it('tells the phones of words apart', () => {
    expect(flite.wordPhones(['well', 'met', '42', "o'clock"])).toEqual([
      ['w', 'eh', 'l'],
      ['m', 'eh', 't'],
      ['f', 'ao', 'r', 't', 'iy', 't', 'uw'],
      ['ax', 'k', 'l', 'aa', 'k'],
    ]);
  });
});

describe('a WASI command', () => {
  it('is given its arguments, and what it printed and how it ended are given back', () => {
    const command = new WasiCommand(() => fliteWasm);
    const version = command.run(['flite', '--version']);
    expect(version.stdout).toMatch(/flite-2\.3/);
    // flite's own choice: it leaves by exit(1).
    expect(version.exitCode).toBe(1);
    const yes = command.run(['flite', '-voice', 'kal16', '-ps', '-o', 'none', '-t', ' yes ']);
    expect(yes).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^pau y eh s pau\s*$/) });
  });

  it('is as good as new after it left by an exception', () => {
    const command = new WasiCommand(() => fliteWasm);
    const say = ['flite', '-voice', 'kal16', '-ps', '-o', 'none', '-t', ' yes '];
    const first = command.run(say).stdout;
    expect(command.run(['flite', '--version']).exitCode).toBe(1);
    expect(command.run(say).stdout).toBe(first);
  });

  it('is taken apart into what runs and what lies in its memory: the engine keeps the one, nobody the other', () => {
    const { program, data, writable } = takeApart(fliteWasm);
    expect(program.length).toBeLessThan(250_000);
    expect(WebAssembly.validate(program)).toBe(true);
    // 1024 is where LLVM begins, 17 MB of voices follow.
    expect(data[0]!.address).toBe(1024);
    expect(writable).toBe(data[1]!.address);
    expect(writable).toBeGreaterThan(17_000_000);
  });

  it('is left whole where its data cannot be laid out beforehand', () => {
    const empty = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    const parts = (...sections: number[]) => takeApart(Uint8Array.of(...empty, ...sections));
    expect(parts()).toEqual({ program: Uint8Array.of(...empty), data: [], writable: 0 });
    // One segment at 5 of one byte: nothing to tell constants by.
    const one = [11, 7, 1, 0, 0x41, 5, 0x0b, 1, 9];
    expect(parts(...one)).toMatchObject({ data: [{ address: 5, bytes: Uint8Array.of(9) }], writable: 0 });
    // A second at 6, and a name for debuggers.
    const two = [11, 13, 2, 0, 0x41, 5, 0x0b, 1, 9, 0, 0x41, 6, 0x0b, 1, 9];
    expect(parts(0, 2, 1, 0x61, ...two)).toMatchObject({ program: Uint8Array.of(...empty), writable: 6 });
    // A segment for later, one at an address that a global holds, and a program that counts its segments.
    for (const odd of [
      [11, 4, 1, 1, 1, 9],
      [11, 7, 1, 0, 0x23, 0, 0x0b, 1, 9],
      [12, 1, 1, ...one],
    ])
      expect(parts(...odd)).toEqual({ program: Uint8Array.of(...empty, ...odd), data: [], writable: 0 });
  });

  it('keeps the files it wrote, as they were after the last seek', () => {
    const { files } = new WasiCommand(() => fliteWasm).run([
      'flite',
      '-voice',
      'kal16',
      '-o',
      '/a.wav',
      '-t',
      ' yes ',
    ]);
    const [wav] = files.values();
    const view = new DataView(wav!.buffer, wav!.byteOffset, wav!.byteLength);
    expect(new TextDecoder().decode(wav!.subarray(0, 4))).toBe('RIFF');
    expect(view.getUint32(40, true)).toBe(wav!.length - 44);
  });
});
