/**
 * The outside of an Opus packet: which frames it holds and how long it plays, by RFC 6716 section 3. Every packet
 * is read here before a codec sees it, and packets of several frames are put together here.
 */
import { NpcVoiceError } from '../../errors';
import { SAMPLE_RATE } from '../frame';

/** Longest packet by the RFC (R5), in samples at 24 kHz. */
export const MAX_OPUS_SAMPLES = 0.12 * SAMPLE_RATE;
/** Most frames in a packet: 120 ms of 2.5 ms frames. */
const MAX_FRAMES = 48;
/** Longest frame, bytes (R2). */
const MAX_FRAME_BYTES = 1275;

/** Frame sizes by configuration number (RFC 6716 table 2), in 2.5 ms units. */
const UNITS_PER_FRAME = [
  ...Array.from({ length: 3 }, () => [4, 8, 16, 24]), // SILK, narrow to wide band
  ...Array.from({ length: 2 }, () => [4, 8]), // hybrid
  ...Array.from({ length: 4 }, () => [1, 2, 4, 8]), // CELT
].flat();
const SAMPLES_PER_UNIT = SAMPLE_RATE / 400;

function malformed(why: string): NpcVoiceError {
  return new NpcVoiceError('bad_audio', `An Opus packet is malformed: ${why}.`, {
    hint: 'Send raw Opus packets (RFC 6716), one in each message, without Ogg or RTP around them.',
  });
}

/** Where the frames of a packet are. One object reads any number of packets. */
export class OpusPacketLayout {
  /** Table-of-contents byte with the frame count code cleared: what all frames of a packet share. */
  shared = 0;
  stereo = false;
  /** Frames in the packet, 1..48. */
  count = 0;
  /** Duration of the packet, samples at 24 kHz. */
  samples = 0;
  /** Place and size of each frame's bytes; the first `count` entries count. Size 0 is a frame not sent (DTX). */
  readonly starts = new Uint16Array(MAX_FRAMES);
  readonly sizes = new Uint16Array(MAX_FRAMES);

  #at = 0;
  #end = 0;

  /**
   * Reads a packet's layout, by every rule of RFC 6716 section 3.4.
   * @throws NpcVoiceError `bad_audio` saying what is wrong
   */
  read(packet: Uint8Array): this {
    if (packet.length === 0) throw malformed('it is empty');
    if (packet.length > 3 * MAX_FRAMES + MAX_FRAMES * MAX_FRAME_BYTES) throw malformed('it is too long');
    const toc = packet[0]!;
    this.shared = toc & 0xfc;
    this.stereo = (toc & 4) !== 0;
    this.#at = 1;
    this.#end = packet.length;
    switch (toc & 3) {
      case 0:
        this.count = 1;
        this.sizes[0] = this.#end - 1;
        break;
      case 1:
        this.count = 2;
        this.#shareEqually();
        break;
      case 2:
        this.count = 2;
        this.sizes[0] = this.#readSize(packet);
        this.#sizeLast();
        break;
      default:
        this.#readArbitrary(packet);
    }
    this.samples = this.count * UNITS_PER_FRAME[toc >> 3]! * SAMPLES_PER_UNIT;
    if (this.samples > MAX_OPUS_SAMPLES) throw malformed('it is longer than 120 ms');
    for (let i = 0, at = this.#at; i < this.count; i++) {
      const size = this.sizes[i]!;
      if (size > MAX_FRAME_BYTES) throw malformed(`a frame has more than ${MAX_FRAME_BYTES} bytes`);
      this.starts[i] = at;
      at += size;
    }
    return this;
  }

  /** Code 3: a count byte, perhaps padding, and frames of equal or of given size. */
  #readArbitrary(packet: Uint8Array): void {
    if (packet.length < 2) throw malformed('its frame count is missing');
    const header = packet[1]!;
    this.#at = 2;
    this.count = header & 0x3f;
    if (this.count === 0) throw malformed('it announces no frames');
    if (this.count > MAX_FRAMES) throw malformed(`it announces more than ${MAX_FRAMES} frames`);
    if (header & 0x40) this.#skipPadding(packet);
    if (!(header & 0x80)) {
      this.#shareEqually();
      return;
    }
    for (let i = 0; i < this.count - 1; i++) this.sizes[i] = this.#readSize(packet);
    this.#sizeLast();
  }

  #skipPadding(packet: Uint8Array): void {
    for (;;) {
      if (this.#at >= this.#end) throw malformed('its padding runs past its end');
      const length = packet[this.#at++]!;
      this.#end -= length === 255 ? 254 : length;
      if (length !== 255) break;
    }
    if (this.#end < this.#at) throw malformed('its padding runs past its end');
  }

  #shareEqually(): void {
    const bytes = this.#end - this.#at;
    if (bytes % this.count !== 0) throw malformed('its frames cannot be of equal size');
    this.sizes.fill(bytes / this.count, 0, this.count);
  }

  /** A frame length of one or two bytes (section 3.2.1). */
  #readSize(packet: Uint8Array): number {
    if (this.#at >= this.#end) throw malformed('a frame length is missing');
    const first = packet[this.#at++]!;
    if (first < 252) return first;
    if (this.#at >= this.#end) throw malformed('a frame length is cut short');
    return packet[this.#at++]! * 4 + first;
  }

  #sizeLast(): void {
    let left = this.#end - this.#at;
    for (let i = 0; i < this.count - 1; i++) left -= this.sizes[i]!;
    if (left < 0) throw malformed('its frames run past its end');
    this.sizes[this.count - 1] = left;
  }
}

/** Puts the frames of several packets into one, as a code 3 packet of variable frame sizes (section 3.2.5). */
export class OpusPacketAssembler {
  /** Frames sent empty because their configuration was not that of the packet's first frame. */
  mismatched = 0;

  readonly #layout = new OpusPacketLayout();
  readonly #sizes = new Uint16Array(MAX_FRAMES);
  #frames = new Uint8Array(4096);
  #shared = 0;
  #count = 0;
  #bytes = 0;

  /** Starts a packet. */
  begin(): void {
    this.#count = 0;
    this.#bytes = 0;
  }

  /** Adds the frames of a packet. All share one configuration; one that does not is left for the decoder to conceal. */
  add(packet: Uint8Array): void {
    const layout = this.#layout.read(packet);
    if (this.#count === 0) this.#shared = layout.shared;
    const fits = layout.shared === this.#shared;
    for (let i = 0; i < layout.count; i++) {
      const size = fits ? layout.sizes[i]! : 0;
      if (!fits) this.mismatched++;
      if (this.#bytes + size > this.#frames.length) this.#grow(this.#bytes + size);
      const start = layout.starts[i]!;
      this.#frames.set(packet.subarray(start, start + size), this.#bytes);
      this.#sizes[this.#count++] = size;
      this.#bytes += size;
    }
  }

  /** The packet, freshly allocated. */
  finish(): Uint8Array {
    const count = this.#count;
    let header = 2;
    for (let i = 0; i < count - 1; i++) header += this.#sizes[i]! < 252 ? 1 : 2;
    const packet = new Uint8Array(header + this.#bytes);
    packet[0] = this.#shared | 3;
    packet[1] = 0x80 | count;
    let at = 2;
    for (let i = 0; i < count - 1; i++) {
      const size = this.#sizes[i]!;
      if (size < 252) packet[at++] = size;
      else {
        packet[at++] = 252 + (size & 3);
        packet[at++] = (size - 252 - (size & 3)) >> 2;
      }
    }
    packet.set(this.#frames.subarray(0, this.#bytes), header);
    return packet;
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(2 * bytes);
    grown.set(this.#frames.subarray(0, this.#bytes));
    this.#frames = grown;
  }
}
