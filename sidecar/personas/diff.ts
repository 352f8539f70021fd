/** What differs between two versions of a persona, and how a change of it reaches a live NPC. */
import type { ReloadSpeed } from '../wire/messages';
import type { Persona } from './schema';
import { scanVariables } from './variables';

/**
 * Paths of the keys whose values differ: `voice`, `turn_taking.patience_ms`, `lines.replies`, `state.gold`.
 * Lists are compared as a whole.
 */
export function diffPersona(before: Persona, after: Persona): string[] {
  const changed: string[] = [];
  const compare = (a: unknown, b: unknown, at: string): void => {
    if (isMap(a) && isMap(b)) {
      for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
        compare(a[key], b[key], at === '' ? key : `${at}.${key}`);
    } else if (JSON.stringify(a) !== JSON.stringify(b)) changed.push(at);
  };
  compare(before, after, '');
  return changed;
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The slowest way that any of the changed paths needs: `reprime` for who it is and how it sounds, `quiet` for what
 * it knows, `instant` for the rest. A changed variable is as slow as the text that uses it; without `persona`, whose
 * text is looked through, it is taken to be used in lines only.
 */
export function classifyChange(paths: readonly string[], persona?: Persona): ReloadSpeed {
  let speed: ReloadSpeed = 'instant';
  for (const path of paths) {
    const one = speedOf(path, persona);
    if (one === 'reprime') return 'reprime';
    if (one === 'quiet') speed = 'quiet';
  }
  return speed;
}

function speedOf(path: string, persona: Persona | undefined): ReloadSpeed {
  const [top, variable] = path.split('.');
  if (top === 'role' || top === 'voice' || top === 'language') return 'reprime';
  if (top === 'facts') return 'quiet';
  if (top === 'state' && variable !== undefined && persona) {
    const uses = (text: string) => scanVariables(text).uses.some((use) => use.name === variable);
    if (uses(persona.role)) return 'reprime';
    if (persona.facts.some(uses)) return 'quiet';
  }
  return 'instant';
}
