/** What happens to persona files, in words for whoever has the terminal open. No text of a persona is in them. */
import type { PersonaListing, PersonaRejection } from '../personas';
import type { PersonaChanged } from '../wire';

/** Keys a line names; of more, how many there are. */
const MOST_KEYS = 4;
const IN_FORCE: Record<PersonaChanged['speed'], string> = {
  instant: 'in force at once',
  quiet: 'in force at the next quiet frame',
  reprime: 'primed anew',
};

/** `cost`: milliseconds since the file was seen changed. */
export function changedLine({
  persona,
  changed,
  speed,
  npcs,
  cost,
}: Pick<PersonaChanged, 'persona' | 'changed' | 'speed' | 'npcs' | 'cost'>): string {
  const force = npcs.length === 0 ? 'nobody is it now' : IN_FORCE[speed];
  return `${persona}: ${keysOf(changed)}, ${force}, ${Math.round(cost)} ms`;
}

/** An editor's terminal makes a link of its place. */
export const rejectedLine = ({ file, line, col, msg, hint }: PersonaRejection): string =>
  `${file}:${line}:${col}: ${msg}${hint === undefined ? '' : ` (${hint})`}`;

export const listedLine = ({ persona, there }: PersonaListing): string =>
  `${persona}: ${there ? 'has come and can be attached' : 'is gone; who is it already stays so'}`;

function keysOf(changed: readonly string[]): string {
  if (changed.length === 0) return 'mended';
  const more = changed.length - MOST_KEYS;
  return `${changed.slice(0, MOST_KEYS).join(', ')}${more > 0 ? ` and ${more} more` : ''} changed`;
}
