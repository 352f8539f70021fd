/** Asking for a microphone, in words a player can act on, and the node that cuts it into packets. */
import { VoiceError } from '../errors';
import { CAPTURE, type FromCapture } from './messages';

export interface DeviceOptions {
  /** An input device; default: the system's. */
  deviceId?: string;
  /** The browser's own processing; all default to on, as talk through loudspeakers needs them. */
  echoCancellation?: boolean;
  noiseSuppression?: boolean;
  autoGainControl?: boolean;
}

/** @throws VoiceError `mic_refused`, `mic_missing`, `mic_busy` or `insecure_page` */
export async function askForMicrophone(options: DeviceOptions): Promise<MediaStream> {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new VoiceError('insecure_page', 'This page may not use a microphone.', {
      hint: 'Browsers allow it on https pages and on http://localhost.',
    });
  }
  const { deviceId, echoCancellation = true, noiseSuppression = true, autoGainControl = true } = options;
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: {
        echoCancellation,
        noiseSuppression,
        autoGainControl,
        ...(deviceId === undefined ? {} : { deviceId: { exact: deviceId } }),
      },
    });
  } catch (cause) {
    throw explain(cause);
  }
}

/** Plain words for what `getUserMedia` throws. */
export function explain(cause: unknown): VoiceError {
  const name = cause instanceof Error ? cause.name : '';
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return new VoiceError('mic_refused', 'The microphone was not allowed.', {
        hint: "Allow it in the browser's address bar, then try again.",
        cause,
      });
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new VoiceError('mic_missing', 'No such microphone is connected.', {
        hint: 'Plug one in or choose another device.',
        cause,
      });
    case 'NotReadableError':
    case 'AbortError':
      return new VoiceError('mic_busy', 'The microphone could not be opened.', {
        hint: 'Another program may be using it: close that and try again.',
        cause,
      });
    default:
      return new VoiceError('mic_busy', `The microphone could not be opened: ${String(cause)}`, { cause });
  }
}

/** A stream on its way into packets. */
export class Capture {
  readonly stream: MediaStream;
  readonly #source: MediaStreamAudioSourceNode;
  readonly #node: AudioWorkletNode;

  /** The worklet must be loaded into `context`. `onEnded`: the device is gone. */
  constructor(
    context: AudioContext,
    stream: MediaStream,
    onPacket: (packet: FromCapture) => void,
    onEnded: () => void,
  ) {
    this.stream = stream;
    this.#source = context.createMediaStreamSource(stream);
    this.#node = new AudioWorkletNode(context, CAPTURE, { numberOfInputs: 1, numberOfOutputs: 0 });
    this.#node.port.onmessage = ({ data }: MessageEvent<FromCapture>) => onPacket(data);
    this.#source.connect(this.#node);
    for (const track of stream.getAudioTracks()) track.onended = onEnded;
  }

  /** Disabled tracks deliver silence, and the browser shows that nobody listens. */
  enable(on: boolean): void {
    for (const track of this.stream.getAudioTracks()) track.enabled = on;
  }

  stop(): void {
    this.#source.disconnect();
    this.#node.port.onmessage = null;
    this.#node.port.postMessage('end');
    for (const track of this.stream.getAudioTracks()) {
      track.onended = null;
      track.stop();
    }
  }
}
