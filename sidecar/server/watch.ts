/** Who watches whose scene: the studio shows what a running game hears and says. */
import { NpcVoiceError } from '../errors';
import { encodeMessage, type ServerMessage, type WatchedScene } from '../wire';

/** What the hub needs of a session. */
export interface Watchable {
  readonly id: string;
  describe(): Omit<WatchedScene, 't' | 'there'>;
  /** Sends bytes that may be dropped when this session's client does not keep up. */
  relayed(bytes: Uint8Array): void;
}

/** Everything less the marked, or nothing plus the marked. */
interface Interest {
  all: boolean;
  marked: Set<string>;
}

const NO_SOUND = new Uint8Array(0);

export class WatchHub {
  readonly #sessions = new Map<string, Watchable>();
  readonly #interests = new Map<Watchable, Interest>();

  add(session: Watchable): void {
    this.#sessions.set(session.id, session);
    this.changed(session);
  }

  remove(session: Watchable): void {
    if (!this.#sessions.delete(session.id)) return;
    this.#interests.delete(session);
    this.#tell(session, { t: 'scene', ...session.describe(), there: false });
    for (const { marked } of this.#interests.values()) marked.delete(session.id);
  }

  /** @throws NpcVoiceError `unknown_scene` */
  watch(watcher: Watchable, on: boolean, of?: string): void {
    if (of === undefined) {
      if (on) this.#interests.set(watcher, { all: true, marked: new Set<string>() });
      else this.#interests.delete(watcher);
    } else {
      if (on && !this.#sessions.has(of))
        throw new NpcVoiceError('unknown_scene', `There is no scene ${JSON.stringify(of)}.`, {
          hint: 'Watch without of to be told of all scenes, those to come included.',
        });
      const interest = this.#interests.get(watcher) ?? { all: false, marked: new Set<string>() };
      if (on === interest.all) interest.marked.delete(of);
      else interest.marked.add(of);
      this.#interests.set(watcher, interest);
    }
    if (!on) return;
    for (const session of this.#sessions.values())
      if (of === undefined || session.id === of)
        if (this.#cares(watcher, session)) watcher.relayed(encodeMessage(scene(session)));
  }

  isWatched(session: Watchable): boolean {
    for (const watcher of this.#interests.keys()) if (this.#cares(watcher, session)) return true;
    return false;
  }

  /** A scene's cast is no longer what it was. */
  changed(session: Watchable): void {
    if (this.isWatched(session)) this.#tell(session, scene(session));
  }

  /** Passes what a scene told its client on to who watches it. Sound stays behind: watchers see and read. */
  relay(from: Watchable, message: ServerMessage): void {
    if (!this.isWatched(from)) return;
    this.#tell(
      from,
      message.t === 'frame' ? { ...message, pcm: NO_SOUND, of: from.id } : { ...message, of: from.id },
    );
  }

  /** Encoded once, however many watch. */
  #tell(about: Watchable, message: object): void {
    let bytes: Uint8Array | undefined;
    for (const watcher of this.#interests.keys())
      if (this.#cares(watcher, about)) watcher.relayed((bytes ??= encodeMessage(message)));
  }

  #cares(watcher: Watchable, about: Watchable): boolean {
    const interest = this.#interests.get(watcher);
    return watcher !== about && interest !== undefined && interest.all !== interest.marked.has(about.id);
  }
}

const scene = (session: Watchable): WatchedScene => ({ t: 'scene', ...session.describe(), there: true });
