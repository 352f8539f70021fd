/** Persona reload: a changed persona is told to the NPCs that are it. */
import type { UpdateReceipt } from '../duplex';
import type { Persona } from '../personas/schema';
import type { Briefing } from './briefing';
import type { Npc } from './npc';

/** An NPC of a scene, and what keeps its seat informed. */
export interface Member {
  npc: Npc;
  briefing: Briefing;
}

export interface Recast {
  /** Those it reached. */
  npcs: Npc[];
  /** The slowest way it took to any of them. */
  speed: UpdateReceipt['speed'];
  failures: unknown[];
}

const SPEEDS: readonly UpdateReceipt['speed'][] = ['instant', 'quiet', 'reprime'];

/** Where the model fails to take the change, the NPC goes on as it was. */
export async function recast(members: readonly Member[], persona: Persona): Promise<Recast> {
  const result: Recast = { npcs: [], speed: 'instant', failures: [] };
  await Promise.all(
    members.map(async ({ npc, briefing }) => {
      const before = npc.persona;
      try {
        npc.persona = persona;
        const { speed } = await briefing.refresh();
        npc.recast();
        if (SPEEDS.indexOf(speed) > SPEEDS.indexOf(result.speed)) result.speed = speed;
        result.npcs.push(npc);
      } catch (error) {
        npc.persona = before;
        if (npc.life.phase !== 'gone') result.failures.push(error);
      }
    }),
  );
  return result;
}
