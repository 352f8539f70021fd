/** How long a saved file takes to be heard: from the write on disk to the first sample of the new voice sent. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { SAMPLE_RATE } from '../../sidecar/audio';
import { shippedPersonas, shippedVoices } from '../../sidecar/paths';
import type { NpcFrame } from '../../sidecar/wire';
import { pitchHz } from './pitch';
import { percentile, type BenchReport } from './report';
import { RunningSidecar, type BareClient } from './running-sidecar';

const SAVES = 30;
/** Two voices whose pitches lie an octave apart, so that a frame tells which one it is. */
const LOW = { voice: 'brenn', is: (hz: number) => hz < 110 };
const HIGH = { voice: 'marta', is: (hz: number) => hz > 150 };
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function benchReload(): Promise<BenchReport> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-reload-'));
  const personas = path.join(dir, 'npc-personas');
  await cp(shippedPersonas, personas, { recursive: true });
  const file = path.join(personas, 'aldric.yaml');
  const original = await readFile(file, 'utf8');
  const save = (voice: string) => writeFile(file, original.replace(/^voice: .*$/m, `voice: ${voice}`));
  await save(LOW.voice);
  const sidecar = await RunningSidecar.start(['--personas', personas, '--voices', shippedVoices]);
  const told: number[] = [];
  const quiet: number[] = [];
  const speaking: number[] = [];
  try {
    const client = await sidecar.connect();
    await client.ask({ t: 'attach', npc: 'aldric', greet: false, seed: 1 });
    for (let i = 0; i < SAVES; i++) {
      const next = i % 2 === 0 ? HIGH : LOW;
      const changed = nextMessage(client, 'persona_changed');
      const saved = performance.now();
      await save(next.voice);
      await changed;
      told.push(performance.now() - saved);
      // Words it has never said: nothing of them is prepared.
      const first = firstVoiced(client);
      await client.ask({ t: 'say', npc: 'aldric', text: `Number ${i}, all is well.`, when: 'now' });
      quiet.push((await first) - saved);
      await sleep(1500);
    }
    for (let i = 0; i < SAVES; i++) {
      const next = i % 2 === 0 ? HIGH : LOW;
      const text = Array.from({ length: 8 }, (_, k) => `In year ${i * 8 + k} all was well`).join(', ');
      const began = firstVoiced(client);
      await client.ask({ t: 'say', npc: 'aldric', text: `${text}.`, when: 'now' });
      await began;
      await sleep(600 + (i % 7) * 130);
      const heard = firstVoiced(client, next.is);
      const saved = performance.now();
      await save(next.voice);
      speaking.push((await heard) - saved);
      await client.ask({ t: 'interrupt', npc: 'aldric' });
      await sleep(400);
    }
    client.close();
  } finally {
    await sidecar.stop();
    await rm(dir, { recursive: true, force: true });
  }
  return {
    title: 'Persona reload',
    how: `${SAVES} saves of a file on disk each, over the real watcher, scene and socket; the voice is told by its pitch`,
    rows: [
      { what: 'save → persona_changed, p50', value: percentile(told, 0.5), unit: 'ms' },
      { what: 'save → persona_changed, p95', value: percentile(told, 0.95), unit: 'ms' },
      {
        what: 'save → first sample of the new voice, asked to speak, p50',
        value: percentile(quiet, 0.5),
        unit: 'ms',
      },
      {
        what: 'save → first sample of the new voice, asked to speak, p95',
        value: percentile(quiet, 0.95),
        unit: 'ms',
        limit: 200,
      },
      {
        what: 'save → new voice recognised, amid a line, p50',
        value: percentile(speaking, 0.5),
        unit: 'ms',
        note: 'waits for the clause to end',
      },
      {
        what: 'save → new voice recognised, amid a line, p95',
        value: percentile(speaking, 0.95),
        unit: 'ms',
      },
    ],
  };
}

function nextMessage(client: BareClient, type: string): Promise<void> {
  return new Promise((resolve) => {
    client.onMessage = (message) => message.t === type && resolve();
  });
}

/** Resolves with the time at which a frame of speech arrives whose pitch is `like`; any speech without. */
function firstVoiced(client: BareClient, like?: (hz: number) => boolean): Promise<number> {
  return new Promise((resolve) => {
    client.onMessage = (message) => {
      if (message.t !== 'frame' || message.turn !== 'speaking' || message.pcm.length === 0) return;
      const hz = like && pitchHz(floats(message), SAMPLE_RATE);
      if (!like || (hz !== undefined && like(hz))) resolve(performance.now());
    };
  });
}

function floats({ pcm }: NpcFrame): Float32Array {
  const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  return Float32Array.from({ length: pcm.length >> 1 }, (_, i) => view.getInt16(2 * i, true) / 32_768);
}
