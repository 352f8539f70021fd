/**
 * What went wrong, in a form a person and a program can both use. Every failure that reaches a user of the
 * sidecar is one of these: a code to switch on, one sentence, and a hint how to mend it.
 */
export type ErrorCode =
  | 'bad_message' // not MessagePack, not a map, or without a type
  | 'bad_field' // a field is missing, of the wrong type or out of range
  | 'unknown_type' // no such message type in this protocol version
  | 'not_identified' // a request before `identify`
  | 'already_identified'
  | 'version' // client and sidecar share no protocol version
  | 'unauthorized' // token missing or wrong
  | 'too_large' // a message over the payload cap
  | 'too_fast' // a message-rate cap
  | 'too_many' // connections, NPCs, microphones or queued requests over their cap
  | 'capacity' // this machine cannot sustain another NPC
  | 'slow_consumer' // the client does not read what it asked for
  | 'unknown_persona'
  | 'unknown_voice'
  | 'unknown_npc'
  | 'unknown_mic'
  | 'unknown_scene'
  | 'npc_exists'
  | 'mic_exists'
  | 'bad_audio' // format not supported, or a packet that does not decode
  | 'persona_invalid' // a YAML file the schema refuses
  | 'voice_invalid'
  | 'conflict' // the file on disk is not the one that was edited
  | 'model_unavailable' // the duplex model is not installed or its host is down
  | 'model_invalid' // a checkpoint, tokenizer or imported model that cannot be used
  | 'unsupported' // this duplex model cannot do that
  | 'io' // a file could not be read or written
  | 'internal';

/** A place in a file, 1-based, as editors count. */
export interface SourcePlace {
  file: string;
  line: number;
  column: number;
}

export class NpcVoiceError extends Error {
  override readonly name = 'NpcVoiceError';
  readonly code: ErrorCode;
  /** How to mend it, one sentence. */
  readonly hint: string | undefined;
  readonly place: SourcePlace | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    more: { hint?: string; place?: SourcePlace; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.hint = more.hint;
    this.place = more.place;
  }
}

/** The code and words of anything thrown; what is not ours is `internal`, and `io` where the system refused something. */
export function asNpcVoiceError(thrown: unknown): NpcVoiceError {
  if (thrown instanceof NpcVoiceError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const isSystem = typeof (thrown as NodeJS.ErrnoException | null)?.syscall === 'string';
  return new NpcVoiceError(isSystem ? 'io' : 'internal', message, { cause: thrown });
}
