/** Lint. */
import type { Problem } from '../yaml';
import { loadPersona, type PersonaContext } from './load';
export function lintPersona(id: string, yamlText: string, context: PersonaContext): Problem[] {
  return loadPersona(id, yamlText, context).problems;
}
