/** What happens to persona files, told to every client. */
import type { PersonaChange, PersonaLibrary, PersonaListing, PersonaRejection } from '../personas';
import type { Metrics } from './metrics';
import type { Session } from './session';
import { round } from './rate';

/** Returns what ends it. */
export function tellPersonas(
  library: PersonaLibrary,
  sessions: () => Session[],
  metrics: Metrics,
): () => void {
  /** Scenes in which the persona is live say themselves how the change reached it; the rest hear that it was taken. */
  const changed = ({ persona, speed, changed, since }: PersonaChange): void => {
    for (const session of sessions())
      if (!session.scene.npcs().some((npc) => npc.persona === persona))
        session.send({
          t: 'persona_changed', persona, speed, changed: [...changed], npcs: [], cost: round(performance.now() - since),
        }); // prettier-ignore
  };
  const rejected = (rejection: PersonaRejection): void => {
    metrics.reloads.inc({ outcome: 'rejected' });
    for (const session of sessions()) session.send({ t: 'persona_rejected', ...rejection });
  };
  const listed = (listing: PersonaListing): void => {
    for (const session of sessions()) session.send({ t: 'persona_listed', ...listing });
  };
  library.on('changed', changed).on('rejected', rejected).on('listed', listed);
  return () => library.off('changed', changed).off('rejected', rejected).off('listed', listed);
}
