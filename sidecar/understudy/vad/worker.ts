/** The VAD worker: for each frame, the speech probabilities and energies of everything that is heard. */
import { parentPort, workerData } from 'node:worker_threads';
import { FRAME_SAMPLES } from '../../audio/frame';
import {
  BEGINS,
  GOES_ON,
  MAX_WINDOWS,
  ORDER_INTS,
  REPORT_FLOATS,
  vadMemory,
  type VadBuffers,
} from './shared';
import { INPUT_SAMPLES, Silero } from './silero';
import { Track } from './track';

const port = parentPort!;
const { buffers, model } = workerData as { buffers: VadBuffers; model: string };
const { heard, orders, reports } = vadMemory(buffers);
const silero = await Silero.load(model);
const tracks = new Map<number, Track>();
const rows: Track[] = [];
const chosen: number[] = [];

/** Runs one window of every chosen row as one batch and adds its result to their reports. */
async function judge(partial: boolean): Promise<void> {
  const size = chosen.length;
  const batch = silero.batch(size);
  chosen.forEach((row, i) => {
    const track = rows[row]!;
    const report = row * REPORT_FLOATS;
    const window = reports[report]!;
    const end = partial
      ? track.peek(batch.input, i * INPUT_SAMPLES)
      : track.takeWindow(batch.input, i * INPUT_SAMPLES);
    reports[report + 2 + 2 * window] = end;
    Silero.writeState(batch.state, size, i, track.state);
  });
  await silero.run(size);
  chosen.forEach((row, i) => {
    const report = row * REPORT_FLOATS;
    const window = reports[report]!;
    reports[report + 1 + 2 * window] = batch.probability[i]!;
    reports[report] = window + 1;
    // A glance ahead is not remembered: the whole window will come.
    if (!partial) Silero.readState(batch.nextState, size, i, rows[row]!.state);
  });
}

function choose(wanted: (track: Track) => boolean): boolean {
  chosen.length = 0;
  rows.forEach((track, row) => {
    if (reports[row * REPORT_FLOATS]! < MAX_WINDOWS && wanted(track)) chosen.push(row);
  });
  return chosen.length > 0;
}

async function frame(count: number): Promise<void> {
  rows.length = 0;
  for (let row = 0; row < count; row++) {
    const id = orders[row * ORDER_INTS]!;
    const source = orders[row * ORDER_INTS + 1]!;
    let track = tracks.get(id);
    if (!track || source !== GOES_ON) {
      track = new Track();
      const from = source === GOES_ON || source === BEGINS ? undefined : tracks.get(source);
      if (from) track.copyFrom(from);
      tracks.set(id, track);
    }
    rows.push(track);
  }
  // Only now, so that every copy was of what its source was before this frame.
  for (let row = 0; row < count; row++) {
    const pcm = heard.subarray(row * FRAME_SAMPLES, (row + 1) * FRAME_SAMPLES);
    rows[row]!.hear(pcm);
    reports[row * REPORT_FLOATS] = 0;
    rows[row]!.energies(pcm, reports, row * REPORT_FLOATS + 1 + 2 * MAX_WINDOWS);
  }
  while (choose((track) => track.hasWindow)) await judge(false);
  if (choose((track) => track.hasPartial)) await judge(true);
}

/** A number: so many rows are to be heard. A list: those tracks are over. */
port.on('message', (message: number | number[]) => {
  if (typeof message !== 'number') {
    for (const id of message) tracks.delete(id);
    return;
  }
  void frame(message).then(() => port.postMessage(message));
});
port.postMessage(-1);
