/** How fast a changed brief can take hold. */
import type { CharacterBrief, UpdateReceipt } from '../../duplex';

/**
 * `instant`: nothing the model was primed with has changed. `quiet`: only facts have, and they can wait until nobody
 * speaks. `reprime`: who it is or how it sounds has.
 */
export function speedOfChange(before: CharacterBrief, after: CharacterBrief): UpdateReceipt['speed'] {
  const [was, is] = [before.voice.personaplex, after.voice.personaplex];
  if (was?.prompt !== is?.prompt || was?.version !== is?.version) return 'reprime';
  if (before.prompt === after.prompt) return 'instant';
  return roleOf(before) === roleOf(after) ? 'quiet' : 'reprime';
}

/** The prompt without its facts, and without what stands between them. */
function roleOf({ prompt, facts }: CharacterBrief): string {
  let role = prompt;
  for (const fact of facts) role = role.replace(fact.replace(/\s+/g, ' ').trim(), '');
  return role
    .replace(/\bInformation:/, '')
    .replace(/[\s.]+/g, ' ')
    .trim();
}
