/** Conversations that outlive what the model remembers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PersonaPlex } from '../../sidecar/personaplex/duplex/model';
import { importTinyModel, tinyBrief, type TinyModel } from '../personaplex/tiny-model';

const CONTEXT = 160;
const WINDOW = CONTEXT - 1;
/** `low.wav` has 6 frames; the role's letters and tags make 32 tokens; 6 frames of silence before and after. */
const PROMPT = 6 + 6 + 32 + 6;
const MARGIN = Math.floor(WINDOW / 8);
const KEPT = Math.floor((WINDOW - PROMPT) / 2);

let tiny: TinyModel;
beforeAll(async () => {
  tiny = await importTinyModel({ context: CONTEXT });
});
afterAll(() => tiny.remove());

async function talkOn(realtime: boolean, frames: number): Promise<{ silent: number; refreshed: number }> {
  const model = new PersonaPlex({ folder: tiny.folder, voices: [tiny.voices], realtime });
  try {
    await model.start();
    const seat = await model.seat(tinyBrief(), { seed: 1, greet: false });
    let silent = 0;
    for (let n = 0; n < frames; n++) {
      const [out] = await model.step([{ seat, ear: 'player', pcm: null }]);
      if (out!.pcm === null) silent++;
    }
    return { silent, refreshed: model.refreshed };
  } finally {
    await model.stop();
  }
}

describe('a long call', () => {
  it('goes on past frame 3001, its persona always in sight', async () => {
    const frames = 3010;
    const { silent, refreshed } = await talkOn(false, frames);
    expect(silent).toBe(0);
    // A refresh is due when so few columns are left, and brings the conversation back to prompt and kept columns.
    const first = WINDOW - MARGIN - PROMPT;
    const every = WINDOW - MARGIN - PROMPT - KEPT;
    // Told of in the step after.
    expect(refreshed).toBe(Math.floor((frames - 1 - first) / every) + 1);
  }, 120_000);

  it('is refreshed between frames in real time', async () => {
    const { silent, refreshed } = await talkOn(true, 250);
    expect(silent).toBe(0);
    expect(refreshed).toBeGreaterThanOrEqual(2);
  });
});
