/**
 * The cast: every persona and voice of two folders, kept as of their last good version, and reloaded when a file
 * is saved. A file that goes wrong is reported and changes nothing; one that goes away stays live for whoever uses it.
 */
import { EventEmitter } from 'node:events';
import type { CharacterBrief, DuplexVoice } from '../duplex';
import { NpcVoiceError, type ErrorCode } from '../errors';
import type { BriefOverrides, Cast, CastChange } from '../scene/ports';
import { loadVoice, Recordings, soundOf, type Voice } from '../voices';
import type { PersonaEntry, ReloadSpeed, StateValue, VoiceEntry } from '../wire/messages';
import {
  didYouMean, firstError, FolderWatch, ID_PATTERN, ID_RULE, nearestId, problemError, YamlFolder, type Problem, type Reading,
} from '../yaml'; // prettier-ignore
import { briefOf } from './brief';
import { classifyChange, diffPersona } from './diff';
import { lintPersona } from './lint';
import { loadPersona, type LoadedPersona, type PersonaContext } from './load';
import type { Persona } from './schema';
import { Shelf } from './shelf';

export interface LibraryOptions {
  /** Folder of persona files. */
  personas: string;
  /** Folder of voice files. */
  voices: string;
  /** Follow changes of the files; default true. */
  watch?: boolean;
}

/** A persona's file changed and was accepted. `changed` is empty when only what was wrong with it is mended. */
export interface PersonaChange extends CastChange {
  speed: ReloadSpeed;
}
/** A file was refused; the last good version, if there is one, stays. */
export interface PersonaRejection {
  persona: string;
  code: ErrorCode;
  msg: string;
  hint?: string;
  file: string;
  line: number;
  col: number;
  source: string;
}
/** A persona came or went. */
export interface PersonaListing {
  persona: string;
  there: boolean;
  name?: string;
}
interface LibraryEvents {
  changed: [PersonaChange];
  rejected: [PersonaRejection];
  listed: [PersonaListing];
}

export class PersonaLibrary extends EventEmitter<LibraryEvents> implements Cast {
  private readonly personaFolder: YamlFolder;
  private readonly voiceFolder: YamlFolder;
  private readonly cast = new Shelf<Persona>();
  private readonly voiceShelf = new Shelf<Voice>();
  private readonly watches: FolderWatch[] = [];
  private readonly recordings: Recordings;
  private writing: Promise<unknown> = Promise.resolve();
  /** The last text that was looked at: watching asks whether it is whole before it hands it over. */
  private recent: { key: string; loaded: LoadedPersona } | undefined;

  /** Reads both folders, which may be missing. Files that are refused are told by `rejections()`. */
  static async open(options: LibraryOptions): Promise<PersonaLibrary> {
    const library = new PersonaLibrary(options);
    await library.load(options.watch ?? true);
    return library;
  }

  private constructor({ personas, voices }: LibraryOptions) {
    super();
    this.personaFolder = new YamlFolder(personas);
    this.voiceFolder = new YamlFolder(voices);
    this.recordings = new Recordings(
      this.voiceFolder.dir,
      () => this.voiceShelf.live().flatMap(([, { personaplex }]) => personaplex?.prompt ?? []),
      (name, since) => this.recordingReplaced(name, since),
    );
    // Every scene listens.
    this.setMaxListeners(0);
  }

  /** The last good version; a persona whose file has gone is still known. */
  persona(id: string): Persona {
    const entry = this.cast.get(id);
    if (entry?.good) return entry.good;
    const problem = entry && firstError(entry.problems);
    if (problem) throw problemError(problem, errorCodeOf(problem));
    throw new NpcVoiceError('unknown_persona', `There is no persona '${id}'.`, {
      hint: didYouMean(id, this.cast.there()) ?? `Put one into ${this.personaFolder.dir}.`,
    });
  }

  voice(id: string): DuplexVoice {
    const entry = this.voiceShelf.get(id);
    if (entry?.good) {
      const { personaplex } = entry.good;
      return soundOf(entry.good, personaplex && this.recordings.version(personaplex.prompt));
    }
    const problem = entry && firstError(entry.problems);
    if (problem) throw problemError(problem, 'voice_invalid');
    throw new NpcVoiceError('unknown_voice', `There is no voice '${id}'.`, {
      hint: didYouMean(id, this.voiceShelf.there()) ?? `Put one into ${this.voiceFolder.dir}.`,
    });
  }

  brief(
    persona: Persona,
    state: Readonly<Record<string, StateValue>>,
    overrides: BriefOverrides = {},
  ): CharacterBrief {
    return briefOf(persona, this.voice(overrides.voice ?? persona.voice), state, overrides);
  }

  onChange(listener: (change: CastChange) => void): () => void {
    this.on('changed', listener);
    return () => void this.off('changed', listener);
  }

  /** Personas that can be attached, by id. */
  list(): PersonaEntry[] {
    return this.cast.entries().map(([id, { name, voice, language }]) => ({ id, name, voice, language }));
  }
  /** Voices that can be used, by id. */
  voices(): VoiceEntry[] {
    return this.voiceShelf.entries().map(([id, { name }]) => ({ id, name }));
  }
  /** Files that are refused as they are now. */
  rejections(): PersonaRejection[] {
    return this.cast.refused().map(([id, problem]) => rejectionOf(id, problem));
  }

  /** A persona's file as it is on disk, valid or not. Throws `bad_field`, `unknown_persona`, `persona_invalid`. */
  async read(id: string): Promise<{ yaml: string; hash: string }> {
    requireId(id);
    const reading = await this.personaFolder.read(id);
    if (reading.kind === 'text') return { yaml: reading.text, hash: reading.version };
    if (reading.kind === 'unreadable') throw problemError(reading.problem, errorCodeOf(reading.problem));
    throw new NpcVoiceError('unknown_persona', `There is no file ${this.personaFolder.fileOf(id)}.`, {
      hint: didYouMean(id, this.cast.there()),
    });
  }

  /** Everything wrong or doubtful about a text as the file of persona `id`. */
  lint(id: string, yaml: string): Problem[] {
    requireId(id);
    return lintPersona(id, yaml, this.context(id));
  }

  /**
   * Saves a text as a persona's file and brings it into force. Throws `bad_field` for what is no id,
   * `persona_invalid` or `unknown_voice` for a text with errors, `conflict` when the file is not the one that
   * `hash` names any more, `io`.
   */
  async write(id: string, yaml: string, hash?: string): Promise<{ hash: string }> {
    requireId(id);
    const since = performance.now();
    const problem = firstError(loadPersona(id, yaml, this.context(id)).problems);
    if (problem) throw problemError(problem, errorCodeOf(problem));
    // One after the other, so that of two writers with the same hash one is refused.
    const written = this.writing.then(() => this.personaFolder.write(id, yaml, hash));
    this.writing = written.catch(() => undefined);
    const version = await written;
    this.watches[0]?.accept(id, version);
    this.personaSettled(id, { kind: 'text', version, text: yaml }, since);
    return { hash: version };
  }

  /** Stops following the files. */
  async close(): Promise<void> {
    this.recordings.close();
    await Promise.all(this.watches.map((watch) => watch.close()));
    this.removeAllListeners();
  }

  private async load(watch: boolean): Promise<void> {
    const shelves = [
      { folder: this.personaFolder, settled: this.personaSettled, isWhole: this.isWholePersona },
      { folder: this.voiceFolder, settled: this.voiceSettled, isWhole: isWholeVoice },
    ];
    // Signatures from before reading: what is saved meanwhile is found by the first sweep.
    const known = await Promise.all(shelves.map(({ folder }) => folder.signatures()));
    const readings = await Promise.all(shelves.map(({ folder }) => readAll(folder)));
    const since = performance.now();
    // Voices first: personas name them.
    for (const i of [1, 0])
      for (const [id, reading] of readings[i]!) shelves[i]!.settled.call(this, id, reading, since);
    if (!watch) return;
    this.recordings.watch();
    for (const [i, { folder, settled, isWhole }] of shelves.entries()) {
      const told = new Map([...readings[i]!].map(([id, reading]) => [id, reading.version]));
      const listener = { isWhole: isWhole.bind(this), settled: settled.bind(this) };
      this.watches.push(new FolderWatch(folder, listener, told));
    }
    await Promise.all(this.watches.map((each, i) => each.start(known[i]!)));
  }

  private context(id: string): PersonaContext {
    return {
      voices: this.voiceShelf.there(),
      refusedVoices: new Map(this.voiceShelf.refused().map(([voice, problem]) => [voice, problem])),
      file: this.personaFolder.fileOf(id),
    };
  }

  private isWholePersona(id: string, reading: Reading): boolean {
    return reading.kind === 'text' && this.loaded(id, reading).persona !== undefined;
  }

  private loaded(id: string, reading: Reading & { kind: 'text' }): LoadedPersona {
    const key = `${id} ${reading.version}`;
    if (this.recent?.key !== key)
      this.recent = { key, loaded: loadPersona(id, reading.text, this.context(id)) };
    return this.recent.loaded;
  }

  private personaSettled(id: string, reading: Reading, since: number): void {
    const before = this.cast.get(id);
    if (reading.kind === 'gone') {
      // A file with a bad name was nobody; most often it is renamed, and its persona has come by now.
      if (this.cast.remove(id) && ID_PATTERN.test(id))
        this.emit('listed', { persona: id, there: false, name: before?.good?.name });
      return;
    }
    const { persona, problems } =
      reading.kind === 'text'
        ? this.loaded(id, reading)
        : { persona: undefined, problems: [reading.problem] };
    const wasListed = before?.there === true && before.good !== undefined;
    const wasRefused = before !== undefined && firstError(before.problems) !== undefined;
    this.cast.put(id, reading, persona, problems);
    if (!persona) {
      this.emit('rejected', rejectionOf(id, firstError(problems)!));
      return;
    }
    if (!wasListed) this.emit('listed', { persona: id, there: true, name: persona.name });
    const changed = before?.good ? diffPersona(before.good, persona) : [];
    if (before?.good && (changed.length > 0 || wasRefused))
      this.emit('changed', { persona: id, changed, speed: classifyChange(changed, persona), since });
  }

  private voiceSettled(id: string, reading: Reading, since: number): void {
    this.recent = undefined;
    const before = this.voiceShelf.get(id);
    if (reading.kind === 'gone') {
      this.voiceShelf.remove(id);
      return;
    }
    const { voice, problems } =
      reading.kind === 'text'
        ? loadVoice(id, reading.text, this.voiceFolder.fileOf(id))
        : { voice: undefined, problems: [reading.problem] };
    this.voiceShelf.put(id, reading, voice, problems);
    if (!voice) {
      // Of one whose file has gone nobody waits to hear: it stays as it was.
      for (const persona of this.usersOf(id))
        if (this.cast.get(persona)!.there)
          this.emit('rejected', rejectionOf(persona, firstError(problems)!, 'voice_invalid'));
      return;
    }
    const same = before?.good && JSON.stringify(soundOf(before.good)) === JSON.stringify(soundOf(voice));
    const wasRefused = before !== undefined && firstError(before.problems) !== undefined;
    if (before?.good && (!same || wasRefused)) this.voiceChanged(id, same ? [] : ['voice'], since);
    // A persona may have been refused for want of this voice.
    if (!before?.good || !before.there)
      for (const [persona, , saved] of this.cast.refused())
        if (this.isWholePersona(persona, saved)) this.personaSettled(persona, saved, since);
  }

  private recordingReplaced(name: string, since: number): void {
    for (const [id, { personaplex }] of this.voiceShelf.live())
      if (personaplex?.prompt === name) this.voiceChanged(id, ['voice'], since);
  }

  private voiceChanged(id: string, changed: string[], since: number): void {
    for (const persona of this.usersOf(id))
      this.emit('changed', { persona, changed, speed: classifyChange(changed), since });
  }

  /** Ids of personas that speak in a voice. */
  private usersOf(voice: string): string[] {
    return this.cast.live().flatMap(([id, persona]) => (persona.voice === voice ? [id] : []));
  }
}

async function readAll(folder: YamlFolder): Promise<Map<string, Reading>> {
  const ids = await folder.list();
  const readings = await Promise.all(ids.map(async (id) => [id, await folder.read(id)] as const));
  return new Map(readings.filter(([, reading]) => reading.kind !== 'gone'));
}

const isWholeVoice = (id: string, reading: Reading): boolean =>
  reading.kind === 'text' && loadVoice(id, reading.text).voice !== undefined;

function requireId(id: string): void {
  if (!ID_PATTERN.test(id)) throw new NpcVoiceError('bad_field', `'${id}' is no persona id: ${ID_RULE}.`);
}

const UNREADABLE = new Set(['outside', 'not_a_file', 'unreadable', 'bad_file_name']);
function errorCodeOf(problem: Problem): ErrorCode {
  if (problem.code === 'unknown_voice') return 'unknown_voice';
  return UNREADABLE.has(problem.code) ? 'io' : 'persona_invalid';
}

function rejectionOf(persona: string, problem: Problem, code = errorCodeOf(problem)): PersonaRejection {
  const { message, hint, file, line, column, source } = problem;
  // Clients know personas by good ids only.
  return { persona: nearestId(persona), code, msg: message, ...(hint === undefined ? {} : { hint }), file, line, col: column, source };
} // prettier-ignore
