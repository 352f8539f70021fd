/**
 * Who hears what: seats that hear the same are one track, computed once. A seat whose hearing is reconfigured takes
 * its track's memory along, and joins the track of whoever hears the same already.
 */
import { FRAME_SAMPLES } from '../../audio/frame';
import { NpcVoiceError } from '../../errors';
import { distFile } from '../../paths';
import type { SeatInput } from '../../duplex';
import { SurvivingWorker } from '../workers';
import { SpeechDetector } from '../turns/detector';
import type { Heard } from '../turns/heard';
import { allocateVadBuffers, BEGINS, GOES_ON, ORDER_INTS, REPORT_FLOATS, TRACKS, vadMemory } from './shared';

/** Digital silence this long needs no detector. */
const SLEEP_FRAMES = 12;
const MEASURED_EARS = 16;
const MEASURED_FRAMES = 6;

interface EarTrack {
  id: number;
  detector: SpeechDetector;
  /** Frames of digital silence in a row. */
  silent: number;
  /** What the worker is to make of it: GOES_ON, BEGINS, or the track it is copied from. */
  source: number;
  /** Row of this step, or -1. */
  row: number;
  /** Step in which it was last heard through, and what was heard. */
  step: number;
  pcm: Float32Array | null;
  seats: number;
}

export class Ears {
  readonly #buffers = allocateVadBuffers();
  readonly #memory = vadMemory(this.#buffers);
  readonly #silence = new Float32Array(REPORT_FLOATS);
  readonly #onTrouble: (error: NpcVoiceError) => void;
  readonly #workerFile: string;
  readonly #tracks = new Set<EarTrack>();
  readonly #bySeat = new Map<number, EarTrack>();
  readonly #byEar = new Map<string, EarTrack>();
  readonly #stepTracks: EarTrack[] = [];
  readonly #ended: number[] = [];
  #worker: SurvivingWorker<number> | undefined;
  #nextId = 0;
  #steps = 0;
  #started: (() => void)[] = [];
  #answer: ((heard: boolean) => void) | undefined;
  #ready = false;

  /** @param onTrouble is told of crashes; nothing needs to be done */
  constructor(onTrouble: (error: NpcVoiceError) => void, workerFile = distFile('workers', 'vad.js')) {
    this.#onTrouble = onTrouble;
    this.#workerFile = workerFile;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      let failing = true;
      this.#started.push(() => {
        failing = false;
        resolve();
      });
      const data = { buffers: this.#buffers, model: distFile('silero_vad_v6.onnx') };
      this.#worker = new SurvivingWorker<number>(
        this.#workerFile,
        'voice detection',
        {
          onStart: () => {
            this.#ready = false;
            for (const track of this.#tracks) track.source = BEGINS;
          },
          onAnswer: (answer) => this.#answered(answer),
          onCrash: (error) => {
            this.#ready = false;
            if (failing) return reject(error);
            this.#answer?.(false);
            this.#onTrouble(error);
          },
        },
        data,
      );
    });
  }

  /** Takes in one frame of every input; afterwards `heard(seat)` tells what it held. */
  async hear(inputs: readonly SeatInput[]): Promise<void> {
    this.#steps++;
    this.#byEar.clear();
    this.#stepTracks.length = 0;
    // Those who listen already decide whose memory an ear goes on with.
    for (const input of inputs) if (this.#bySeat.has(input.seat)) this.#group(input);
    for (const input of inputs) if (!this.#bySeat.has(input.seat)) this.#group(input);
    this.#collect();
    const rows = this.#fill();
    const known = rows === 0 || (await this.#ask(rows));
    for (const track of this.#stepTracks) {
      const report = track.row >= 0 && known ? this.#memory.reports : this.#silence;
      track.detector.hear(report, report === this.#silence ? 0 : track.row * REPORT_FLOATS);
    }
  }

  /** What hearing costs for one more NPC that hears what no other does, ms a frame, at best. */
  async measureCost(): Promise<number> {
    const pcm = Float32Array.from({ length: FRAME_SAMPLES }, (_, i) => 0.01 * Math.sin(i * i));
    const inputs = Array.from({ length: MEASURED_EARS }, (_, i) => ({
      seat: -1 - i,
      ear: `measured ${i}`,
      pcm,
    }));
    let best = Infinity;
    for (let frame = 0; frame < MEASURED_FRAMES; frame++) {
      const began = performance.now();
      await this.hear(inputs);
      best = Math.min(best, performance.now() - began);
    }
    for (const { seat } of inputs) this.forget(seat);
    return best / MEASURED_EARS;
  }

  heard(seat: number): Heard {
    return this.#bySeat.get(seat)!.detector.heard;
  }

  forget(seat: number): void {
    const track = this.#bySeat.get(seat);
    if (!track) return;
    this.#bySeat.delete(seat);
    track.seats--;
  }

  async stop(): Promise<void> {
    await this.#worker?.stop();
    this.#answer?.(false);
  }

  #group({ seat, ear, pcm }: SeatInput): void {
    const had = this.#bySeat.get(seat);
    let track = this.#byEar.get(ear);
    if (!track) {
      track = had && had.step !== this.#steps ? had : this.#newTrack(had);
      track.step = this.#steps;
      track.pcm = pcm;
      this.#byEar.set(ear, track);
      this.#stepTracks.push(track);
    }
    if (track === had) return;
    if (had) had.seats--;
    track.seats++;
    this.#bySeat.set(seat, track);
  }

  #newTrack(from: EarTrack | undefined): EarTrack {
    const track: EarTrack = {
      id: this.#nextId++,
      detector: new SpeechDetector(from?.detector),
      silent: from?.silent ?? SLEEP_FRAMES,
      source: from?.id ?? BEGINS,
      row: -1,
      step: this.#steps,
      pcm: null,
      seats: 0,
    };
    this.#tracks.add(track);
    return track;
  }

  #collect(): void {
    for (const track of this.#tracks) {
      if (track.seats > 0) continue;
      this.#tracks.delete(track);
      this.#ended.push(track.id);
    }
  }

  /** Lays out what the worker is to hear; returns how many rows there are. */
  #fill(): number {
    const { heard, orders } = this.#memory;
    let rows = 0;
    for (const track of this.#stepTracks) {
      const { pcm } = track;
      track.row = -1;
      track.silent = pcm ? 0 : track.silent + 1;
      if (track.silent > SLEEP_FRAMES) track.source = BEGINS;
      if (track.silent > SLEEP_FRAMES || rows === TRACKS) continue;
      track.row = rows;
      orders[rows * ORDER_INTS] = track.id;
      orders[rows * ORDER_INTS + 1] = track.source;
      track.source = GOES_ON;
      if (pcm) heard.set(pcm, rows * FRAME_SAMPLES);
      else heard.fill(0, rows * FRAME_SAMPLES, (rows + 1) * FRAME_SAMPLES);
      rows++;
    }
    return rows;
  }

  async #ask(rows: number): Promise<boolean> {
    const worker = this.#worker;
    if (!worker || !this.#ready) return false;
    if (this.#ended.length > 0) {
      // After this frame, which may still copy from them.
      queueMicrotask(() => worker.post(this.#ended.splice(0)));
    }
    return new Promise<boolean>((resolve) => {
      this.#answer = resolve;
      worker.post(rows);
    });
  }

  #answered(answer: number): void {
    if (answer < 0) {
      this.#ready = true;
      for (const resolve of this.#started.splice(0)) resolve();
      return;
    }
    const resolve = this.#answer;
    this.#answer = undefined;
    resolve?.(true);
  }
}
