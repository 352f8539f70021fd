/**
 * The sidecar's token, which its printed address carries in the fragment: kept for this tab, and taken out of the
 * address bar so that it is in no screenshot and no shared link.
 */
const KEY = 'npc-voice.token';

/** Whether a key was given in this tab before, good or not. */
export const hadToken = (): boolean => sessionStorage.getItem(KEY) !== null;

/**
 * The studio's address in what somebody pasted: the whole address, or its end, or the bare token, which then belongs
 * to `here`. Undefined where no token is in it.
 */
export function addressWithKey(pasted: string, here: string): string | undefined {
  const text = pasted.trim();
  const token = /#token=([^\s&]+)/.exec(text)?.[1] ?? (/^[\w.~-]{16,128}$/.test(text) ? text : undefined);
  if (token === undefined) return undefined;
  const base = /https?:\/\/[^\s#]+/.exec(text)?.[0] ?? here;
  if (!URL.canParse(base)) return undefined;
  const address = new URL(base);
  address.hash = `token=${token}`;
  return address.href;
}

export function takeToken(): string | undefined {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get('token');
  if (given !== null) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, '', location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY) ?? undefined;
}
