/**
 * The player worklet as it is shipped, in Chromium's OfflineAudioContext: frames are handed over at exact samples of
 * the context's clock, so what comes out is the same every time.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launch, noBrowser } from './support/browser';
import { GameSite } from './support/game-page';

interface Script {
  rate: number;
  seconds: number;
  /** Seconds at which frame `n` is handed over; frames left out never are. */
  arrivals: [n: number, at: number][];
  /** Frames from this to that are silent. */
  silent?: [from: number, to: number];
  flush?: { at: number; n: number; fade: number };
}
interface Outcome {
  heard: Float32Array;
  /** The last figures the worklet told. */
  stats: { underruns: number; lost: number; skipped: number; flushed: number; bufferedMs: number };
  cut: { n: number; s: number } | undefined;
  marks: { n: number; s: number; time: number }[];
}

const HZ = 200;
const onTime = (frames: number, period = 0.08): [number, number][] =>
  Array.from({ length: frames }, (_, n) => [n, n * period]);

function steepest(samples: Float32Array): number {
  let most = 0;
  for (let i = 1; i < samples.length; i++) most = Math.max(most, Math.abs(samples[i]! - samples[i - 1]!));
  return most;
}
/** A 200 Hz tone of 0.5 steps by 0.0131 a sample at 48 kHz, and a ramp of 5 ms adds 0.002. A click is far more. */
const SMOOTH = 0.018;

/** Decibels of what is left of `samples` when the best-fitting tone of `hz` is taken out, relative to the whole. */
function residue(samples: Float32Array, rate: number, hz: number): number {
  let c = 0;
  let s = 0;
  let whole = 0;
  samples.forEach((x, i) => {
    c += x * Math.cos((2 * Math.PI * hz * i) / rate);
    s += x * Math.sin((2 * Math.PI * hz * i) / rate);
    whole += x * x;
  });
  const n = samples.length;
  let left = 0;
  samples.forEach((x, i) => {
    const angle = (2 * Math.PI * hz * i) / rate;
    left += (x - (2 / n) * (c * Math.cos(angle) + s * Math.sin(angle))) ** 2;
  });
  return 10 * Math.log10(left / whole);
}

describe.skipIf(noBrowser)('the player worklet', () => {
  let browser: Browser;
  let site: GameSite;
  let page: Page;

  beforeAll(async () => {
    site = await GameSite.open();
    browser = await launch('none');
    page = await browser.newPage();
    await page.goto(site.origin);
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
  });

  async function render(script: Script): Promise<Outcome> {
    const outcome = await page.evaluate(
      async ({ rate, seconds, arrivals, silent, flush, hz }) => {
        const context = new OfflineAudioContext(1, Math.round(rate * seconds), rate);
        await context.audioWorklet.addModule('/web/worklet.js');
        await context.audioWorklet.addModule('/echo.js');
        const node = new AudioWorkletNode(context, 'npc-voice-player', {
          numberOfInputs: 0,
          outputChannelCount: [1],
        });
        node.connect(context.destination);
        const told: Record<string, unknown>[] = [];
        node.port.onmessage = ({ data }) => told.push(data as Record<string, unknown>);
        const frame = (n: number): Float32Array | null =>
          silent && n >= silent[0] && n < silent[1]
            ? null
            : Float32Array.from(
                { length: 1920 },
                (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * (n * 1920 + i)) / 24000),
              );
        const due = new Map<number, (() => void)[]>();
        const at = (time: number, act: () => void): void => {
          const block = Math.floor((time * rate) / 128) * 128;
          due.set(block, [...(due.get(block) ?? []), act]);
        };
        for (const [n, time] of arrivals)
          at(time, () => node.port.postMessage({ t: 'frame', n, pcm: frame(n) }));
        if (flush) at(flush.at, () => node.port.postMessage({ t: 'flush', n: flush.n, fade: flush.fade }));
        // A message has to reach the audio thread before rendering goes on: an echo from there says that it has.
        const echo = new AudioWorkletNode(context, 'echo', { numberOfInputs: 0 });
        const arrived = async (): Promise<void> => {
          for (let turn = 0; turn < 2; turn++)
            await new Promise((resolve) => {
              echo.port.onmessage = resolve;
              echo.port.postMessage(turn);
            });
        };
        for (const [block, acts] of due) {
          if (block === 0) acts.forEach((act) => act());
          else if (block < context.length)
            void context.suspend(block / rate).then(async () => {
              acts.forEach((act) => act());
              await arrived();
              await context.resume();
            });
        }
        await arrived();
        const rendered = await context.startRendering();
        await arrived();
        return { heard: [...rendered.getChannelData(0)], told };
      },
      { ...script, hz: HZ },
    );
    const of = (t: string) => outcome.told.filter((message) => message.t === t);
    return {
      heard: Float32Array.from(outcome.heard),
      stats: of('stats').at(-1)!.stats as Outcome['stats'],
      cut: of('cut')[0] as Outcome['cut'],
      marks: of('at') as unknown as Outcome['marks'],
    };
  }

  for (const rate of [44_100, 48_000]) {
    it(`plays a tone at the context's own ${rate} Hz with nothing else in it`, async () => {
      const { heard, stats } = await render({ rate, seconds: 2, arrivals: onTime(25) });
      expect(residue(heard.subarray(rate * 0.3, rate * 1.8), rate, HZ)).toBeLessThan(-80);
      expect(stats).toMatchObject({ underruns: 0, lost: 0, skipped: 0 });
    });
  }

  it('tells the context time at which each frame leaves the node, to a tenth of a millisecond', async () => {
    const rate = 48_000;
    const { heard, marks } = await render({ rate, seconds: 1.2, arrivals: onTime(12), silent: [0, 5] });
    const begins = marks.find(({ n, s }) => n === 5 && s === 0)!;
    // The tone's first half wave after the silence: its crest is a quarter period after its start.
    const from = Math.round((begins.time - 0.002) * rate);
    const crest = heard
      .subarray(from, from + rate * 0.0045)
      .indexOf(Math.max(...heard.subarray(from, from + rate * 0.0045)));
    expect((from + crest) / rate - begins.time).toBeCloseTo(1 / HZ / 4, 4);
  });

  for (const ppm of [-1500, 1500]) {
    it(`bears a clock ${ppm} ppm off with neither click nor underrun, bending its own speed`, async () => {
      const rate = 48_000;
      const { heard, stats } = await render({
        rate,
        seconds: 10,
        arrivals: onTime(140, 0.08 * (1 + ppm * 1e-6)),
      });
      expect(stats).toMatchObject({ underruns: 0, lost: 0, skipped: 0 });
      expect(stats.bufferedMs).toBeLessThan(150);
      expect(steepest(heard.subarray(rate * 0.2))).toBeLessThan(SMOOTH);
    });
  }

  it('runs dry and comes back without a click', async () => {
    const rate = 48_000;
    const arrivals = onTime(30).map(([n, at]): [number, number] => [n, n < 12 ? at : at + 0.3]);
    const { heard, stats } = await render({ rate, seconds: 2.6, arrivals });
    expect(stats.underruns).toBeGreaterThanOrEqual(1);
    expect(steepest(heard)).toBeLessThan(SMOOTH);
    const dry = heard.subarray(rate * 1.12, rate * 1.2);
    expect(Math.max(...dry.map(Math.abs))).toBeLessThan(1e-4);
  });

  it('fades out at a flush within the asked time and a block, without a click, and says where', async () => {
    const rate = 48_000;
    const at = 1.0;
    const { heard, cut, marks } = await render({
      rate,
      seconds: 2,
      arrivals: onTime(14),
      flush: { at, n: 14, fade: 20 },
    });
    // 20 ms of fade, 5 ms of samples made ahead, 1.4 ms of resampling filter, one block of 2.7 ms.
    const silentFrom = Math.round((at + 0.0295) * rate);
    expect(Math.max(...heard.subarray(silentFrom).map(Math.abs))).toBeLessThan(1e-4);
    expect(Math.max(...heard.subarray((at - 0.05) * rate, at * rate))).toBeGreaterThan(0.49);
    expect(steepest(heard)).toBeLessThan(SMOOTH);
    expect(cut!.n).toBe(11);
    expect(marks.every(({ time }) => time < at + 0.03)).toBe(true);
  });
});
