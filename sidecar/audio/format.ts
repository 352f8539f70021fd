import type { Codec } from '../wire/messages';

/** How samples travel: on the wire, in a file. */
export interface AudioFormat {
  codec: Codec;
  /** Hz, 8000..48000. */
  rate: number;
  channels: 1 | 2;
}
