/** What happens to persona files, told to every client and to the log. */
import type { PersonaChange, PersonaLibrary, PersonaListing, PersonaRejection } from '../personas';
import type { PersonaChanged } from '../wire';
import type { Log } from './log';
import type { Metrics } from './metrics';
import { changedLine, listedLine, rejectedLine } from './persona-log';
import type { Session } from './session';
import { round } from './rate';

/** Returns what ends it. */
export function tellPersonas(
  library: PersonaLibrary,
  sessions: () => Session[],
  metrics: Metrics,
  log: Log,
): () => void {
  /** Scenes in which the persona is live say themselves how the change reached it; the rest hear that it was taken. */
  const changed = ({ persona, speed, changed, since }: PersonaChange): void => {
    const all = sessions();
    const without = all.filter((session) => !session.scene.npcs().some((npc) => npc.persona === persona));
    const taken: PersonaChanged = {
      t: 'persona_changed', persona, speed, changed: [...changed], npcs: [], cost: round(performance.now() - since),
    }; // prettier-ignore
    for (const session of without) session.send(taken);
    if (without.length === all.length) log.info(changedLine(taken));
  };
  const rejected = (rejection: PersonaRejection): void => {
    metrics.reloads.inc({ outcome: 'rejected' });
    log.warn(rejectedLine(rejection));
    for (const session of sessions()) session.send({ t: 'persona_rejected', ...rejection });
  };
  const listed = (listing: PersonaListing): void => {
    log.info(listedLine(listing));
    for (const session of sessions()) session.send({ t: 'persona_listed', ...listing });
  };
  library.on('changed', changed).on('rejected', rejected).on('listed', listed);
  return () => library.off('changed', changed).off('rejected', rejected).off('listed', listed);
}
