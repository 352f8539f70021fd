/**
 * The sidecar's token, which its printed address carries in the fragment: kept for this tab, and taken out of the
 * address bar so that it is in no screenshot and no shared link.
 */
const KEY = 'npc-voice.token';

export function takeToken(): string | undefined {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get('token');
  if (given !== null) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, '', location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY) ?? undefined;
}
