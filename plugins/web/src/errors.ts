import type { ErrorCode, SourcePlace } from '../../../sidecar/errors';
import type { ErrorMessage } from '../../../sidecar/wire/messages';

/** What can go wrong on this side of the wire. */
export type ClientErrorCode =
  | 'unreachable' // no sidecar answered, or it refused this page's origin
  | 'closed' // the connection ended before the answer came
  | 'timeout' // no answer in time
  | 'mic_refused' // the player or the browser said no
  | 'mic_missing' // no such input device
  | 'mic_busy' // another program holds it
  | 'insecure_page' // browsers give microphones and worklets to https and localhost pages only
  | 'no_worklet'; // the audio worklet did not load (content security policy, wrong URL)

export type VoiceErrorCode = ErrorCode | ClientErrorCode;

/** Every failure of this library: a code to switch on, one sentence, and a hint how to mend it. */
export class VoiceError extends Error {
  override readonly name = 'VoiceError';
  readonly code: VoiceErrorCode;
  /** How to mend it, one sentence. */
  readonly hint: string | undefined;
  /** Where in a persona or voice file, 1-based. */
  readonly place: SourcePlace | undefined;

  constructor(
    code: VoiceErrorCode,
    message: string,
    more: { hint?: string; place?: SourcePlace; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.hint = more.hint;
    this.place = more.place;
  }

  /** The sidecar's own words. */
  static fromMessage(m: ErrorMessage): VoiceError {
    const place = m.file === undefined ? undefined : { file: m.file, line: m.line ?? 1, column: m.col ?? 1 };
    return new VoiceError(m.code, m.msg, {
      ...(m.hint === undefined ? {} : { hint: m.hint }),
      ...(place ? { place } : {}),
    });
  }
}
