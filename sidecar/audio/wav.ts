/** WAV files: any common PCM form in, s16 or f32 out. What a file claims is checked against what it holds. */
import { NpcVoiceError } from '../errors';
import { toInt16 } from './pcm';

export interface WavAudio {
  /** Hz. */
  rate: number;
  /** One array a channel, all of one length, -1..1. */
  channels: Float32Array[];
  /** All channels averaged: the first channel's array when there is only one. */
  mono(): Float32Array;
}

const FORMAT_PCM = 1;
const FORMAT_FLOAT = 3;
const FORMAT_EXTENSIBLE = 0xfffe;
/** What follows the format's number in a WAVE_FORMAT_EXTENSIBLE subformat GUID. */
const GUID_TAIL = '000000001000800000aa00389b71';
const MAX_CHANNELS = 64;
const MAX_RATE = 768_000;

function unreadable(why: string, hint = 'Export it as WAV: PCM 16, 24 or 32 bit, or float.'): NpcVoiceError {
  return new NpcVoiceError('bad_audio', `This is not a WAV file that can be read: ${why}.`, { hint });
}

interface WavFormat {
  float: boolean;
  bits: number;
  channels: number;
  rate: number;
  /** Bytes of one sample of every channel. */
  blockBytes: number;
}

/**
 * Reads a WAV file (RIFF): PCM of 8, 16, 24 or 32 bits, float of 32 or 64, up to 64 channels.
 * @throws NpcVoiceError `bad_audio` saying what is wrong with it
 */
export function readWav(bytes: Uint8Array): WavAudio {
  const { view, start, length, format } = findSamples(bytes);
  return readSamples(view, start, length, format);
}

/**
 * How long a WAV file is, seconds; reads none of its samples.
 * @throws as readWav
 */
export function wavSeconds(bytes: Uint8Array): number {
  const { length, format } = findSamples(bytes);
  return Math.floor(length / format.blockBytes) / format.rate;
}

interface WavSamples {
  view: DataView;
  /** Where they are in the file, bytes. */
  start: number;
  length: number;
  format: WavFormat;
}

function findSamples(bytes: Uint8Array): WavSamples {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12) throw unreadable('it is too short');
  if (tag(bytes, 0) !== 'RIFF' || tag(bytes, 8) !== 'WAVE')
    throw unreadable('it does not begin with RIFF and WAVE');
  let format: WavFormat | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const name = tag(bytes, at);
    const claimed = view.getUint32(at + 4, true);
    const start = at + 8;
    const length = Math.min(claimed, bytes.length - start);
    if (name === 'fmt ') format = readFormat(view, start, length);
    if (name === 'data') {
      if (!format) throw unreadable('its samples come before their format');
      return { view, start, length, format };
    }
    // Chunks are padded to an even length.
    at = start + claimed + (claimed & 1);
  }
  throw unreadable(format ? 'it has no samples' : 'it has no format chunk');
}

function tag(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!);
}

function readFormat(view: DataView, start: number, length: number): WavFormat {
  if (length < 16) throw unreadable('its format chunk is cut short');
  let code = view.getUint16(start, true);
  const channels = view.getUint16(start + 2, true);
  const rate = view.getUint32(start + 4, true);
  const blockBytes = view.getUint16(start + 12, true);
  const bits = view.getUint16(start + 14, true);
  if (code === FORMAT_EXTENSIBLE) code = readSubformat(view, start, length);
  if (code !== FORMAT_PCM && code !== FORMAT_FLOAT)
    throw unreadable(`its samples are compressed (format ${code})`);
  const float = code === FORMAT_FLOAT;
  if (float ? bits !== 32 && bits !== 64 : bits !== 8 && bits !== 16 && bits !== 24 && bits !== 32) {
    throw unreadable(`${bits} bit ${float ? 'float ' : ''}samples are not supported`);
  }
  if (channels < 1 || channels > MAX_CHANNELS) throw unreadable(`it claims ${channels} channels`);
  if (rate < 1 || rate > MAX_RATE) throw unreadable(`it claims a sample rate of ${rate} Hz`);
  if (blockBytes !== (channels * bits) / 8) throw unreadable('its format chunk contradicts itself');
  return { float, bits, channels, rate, blockBytes };
}

function readSubformat(view: DataView, start: number, length: number): number {
  if (length < 40) throw unreadable('its extensible format chunk is cut short');
  let tail = '';
  for (let i = 2; i < 16; i++) {
    tail += view
      .getUint8(start + 24 + i)
      .toString(16)
      .padStart(2, '0');
  }
  if (tail !== GUID_TAIL) throw unreadable('its extensible format is unknown');
  return view.getUint16(start + 24, true);
}

function readSamples(view: DataView, start: number, length: number, format: WavFormat): WavAudio {
  const { rate, blockBytes } = format;
  const count = Math.floor(length / blockBytes);
  const read = sampleReader(view, format);
  const channels = Array.from({ length: format.channels }, (_, channel) => {
    const samples = new Float32Array(count);
    const offset = start + (channel * format.bits) / 8;
    for (let i = 0; i < count; i++) samples[i] = read(offset + i * blockBytes);
    return samples;
  });
  return { rate, channels, mono: () => downmix(channels) };
}

function sampleReader(view: DataView, { float, bits }: WavFormat): (at: number) => number {
  if (float) {
    const get =
      bits === 32 ? (at: number) => view.getFloat32(at, true) : (at: number) => view.getFloat64(at, true);
    return (at) => {
      const x = get(at);
      return Number.isFinite(x) ? x : 0;
    };
  }
  switch (bits) {
    case 8:
      return (at) => (view.getUint8(at) - 128) / 128;
    case 16:
      return (at) => view.getInt16(at, true) / 32_768;
    case 24:
      return (at) => (view.getUint8(at) | (view.getInt16(at + 1, true) << 8)) / 8_388_608;
    default:
      return (at) => view.getInt32(at, true) / 2_147_483_648;
  }
}

function downmix(channels: readonly Float32Array[]): Float32Array {
  const first = channels[0]!;
  if (channels.length === 1) return first;
  const mono = new Float32Array(first.length);
  for (const channel of channels) for (let i = 0; i < mono.length; i++) mono[i] = mono[i]! + channel[i]!;
  return mono.map((sum) => sum / channels.length);
}

/**
 * Writes a WAV file.
 * @param samples -1..1, mono or one array a channel, all of one length; s16 clips beyond that
 * @param rate Hz
 * @param form sample form, default s16
 */
export function writeWav(
  samples: Float32Array | readonly Float32Array[],
  rate: number,
  form: 's16' | 'f32' = 's16',
): Uint8Array {
  const channels = samples instanceof Float32Array ? [samples] : samples;
  const count = channels[0]?.length ?? 0;
  const float = form === 'f32';
  const sampleBytes = float ? 4 : 2;
  const blockBytes = sampleBytes * channels.length;
  const dataBytes = count * blockBytes;
  // Formats other than PCM carry an extension size and a fact chunk.
  const headerBytes = float ? 58 : 44;
  const bytes = new Uint8Array(headerBytes + dataBytes);
  const view = new DataView(bytes.buffer);
  const put = (at: number, text: string): void => {
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  };
  put(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  put(8, 'WAVEfmt ');
  view.setUint32(16, float ? 18 : 16, true);
  view.setUint16(20, float ? FORMAT_FLOAT : FORMAT_PCM, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * blockBytes, true);
  view.setUint16(32, blockBytes, true);
  view.setUint16(34, sampleBytes * 8, true);
  if (float) {
    put(38, 'fact');
    view.setUint32(42, 4, true);
    view.setUint32(46, count, true);
  }
  put(headerBytes - 8, 'data');
  view.setUint32(headerBytes - 4, dataBytes, true);
  channels.forEach((channel, c) => {
    for (let i = 0; i < count; i++) {
      const at = headerBytes + i * blockBytes + c * sampleBytes;
      if (float) view.setFloat32(at, channel[i]!, true);
      else view.setInt16(at, toInt16(channel[i]!), true);
    }
  });
  return bytes;
}
