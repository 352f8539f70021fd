/**
 * The audio room: bytes of a microphone in, frames of 24 kHz mono through, bytes for a client out.
 *
 * A microphone's path is PacketSequencer (play, conceal or ignore) → AudioDecoder → JitterBuffer → one frame a tick;
 * an NPC's is AudioEncoder. Await `initOpus()` once before the first Opus stream.
 */
export type { AudioFormat } from './format';
export { FRAME_MS, FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE } from './frame';
export { checkFormat, createAudioDecoder, type AudioDecoder } from './decoder';
export { createAudioEncoder, type AudioEncoder } from './encoder';
export { JitterBuffer, type JitterBufferOptions } from './jitter';
export { integratedLoudness, normaliseLoudness } from './loudness';
export { fadeIn, fadeOut, fadeWeight, mixInto, rms, softLimit } from './mix';
export { Muffle } from './muffle';
export { initOpus, opusCodecName, opusReport, type CodecReport, type OpusReport } from './opus';
export { Resampler } from './resampler';
export { IGNORE, PacketSequencer } from './sequencer';
export { readWav, wavSeconds, writeWav, type WavAudio } from './wav';
