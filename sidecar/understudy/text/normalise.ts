/**
 * Text as people write it → text flite can read. flite drops every letter it does not know ("Café" becomes
 * "kaf"), spells out interjections ("Hmm" becomes "H M M"), and reads tags aloud.
 */

const LETTERS: Readonly<Record<string, string>> = {
  æ: 'ae', œ: 'oe', ø: 'o', ß: 'ss', þ: 'th', ð: 'd', ł: 'l', đ: 'd', ı: 'i', ŋ: 'ng', '°': ' degrees ',
  '×': ' times ', '÷': ' divided by ', '‘': "'", '’': "'", '‚': "'", '‛': "'", '′': "'", '“': '"', '”': '"',
  '„': '"', '«': '"', '»': '"', '″': '"', '…': '...', '—': '-', '–': '-', '―': '-', '‐': '-', '‑': '-', '−': '-',
  '、': ',', '。': '.', '！': '!', '？': '?', '，': ',', '¿': '', '¡': '',
}; // prettier-ignore

const MARKS: Readonly<Record<string, string>> = {
  '&': ' and ', '@': ' at ', '+': ' plus ', '=': ' equals ', '#': ' number ', '%': ' percent ',
}; // prettier-ignore

/** One written word (no space in it) → printable ASCII, which may be several words, or none. */
export function normaliseWord(word: string): string {
  return word
    .replace(/(\d)\s?[–—-]\s?(?=\d)/g, '$1 to ')
    .replace(/£(\d[\d,]*(?:\.\d+)?)/g, '$1 pounds')
    .replace(/€(\d[\d,]*(?:\.\d+)?)/g, '$1 euros')
    .replace(/[^\x20-\x7e]/gu, asciiOf)
    .replace(/[&@+=#%]/g, (mark) => MARKS[mark]!)
    .replace(/[*_~`^|\\{}[\]<>/]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

function asciiOf(character: string): string {
  const small = character.toLowerCase();
  const known = LETTERS[character] ?? LETTERS[small];
  if (known !== undefined) return character === small ? known : known.toUpperCase();
  return character.normalize('NFKD').replace(/[^\x20-\x7e]/gu, '');
}

/** The words of a line as captions show them. Markup goes; a dash between words stays with the first. */
export function writtenWords(line: string): string[] {
  return line
    .replace(/<[^<>]{0,80}>/g, ' ')
    .replace(/\s*(?:—|―|--+|(?<!\d)–|–(?!\d)|\s-(?=\s))\s*/gu, '— ')
    .split(/[\s\p{Cc}]+/u)
    .filter((word) => word !== '');
}

/** What flite is given for a word it would spell out: its lexicon has no interjections, and a clause no full stops. */
const RESPELT: Readonly<Record<string, string>> = {
  mr: 'mister', mrs: 'missus', ms: 'miz', dr: 'doctor', st: 'saint', prof: 'professor', capt: 'captain',
  sgt: 'sergeant', lt: 'lieutenant', col: 'colonel', gen: 'general', rev: 'reverend', vs: 'versus',
  'e.g': 'for example', 'i.e': 'that is', etc: 'et cetera',
  hm: 'hum', hmm: 'hum', hmmm: 'hum', mm: 'um', mmm: 'um', uhm: 'um', erm: 'urm',
  'mm-hm': 'um hum', 'mm-hmm': 'um hum', mhm: 'um hum', 'uh-huh': 'uh huh', 'uh-oh': 'uh oh',
  shh: 'shush', psst: 'pist', argh: 'arg', grr: 'gurr', brr: 'burr', pfft: 'fut', tsk: 'tisk',
}; // prettier-ignore

/**
 * Phones of an interjection, for flite's -p; undefined for any other word. Flite's phone set is the CMU
 * dictionary's in lower case.
 */
const INTERJECTIONS: Readonly<Record<string, readonly string[]>> = {
  'mm-hm': ['m', 'm', 'hh', 'm', 'm'],
  'mm-hmm': ['m', 'm', 'hh', 'm', 'm'],
  mhm: ['m', 'hh', 'm'],
  hm: ['hh', 'm'],
  hmm: ['hh', 'm', 'm'],
  hmmm: ['hh', 'm', 'm', 'm'],
  mm: ['m', 'm'],
  mmm: ['m', 'm', 'm'],
  'uh-huh': ['ah', 'hh', 'ah'],
  'uh-oh': ['ah', 'ow'],
  uh: ['ah'],
  um: ['ah', 'm'],
  huh: ['hh', 'ah'],
  shh: ['sh', 'sh'],
};

const bare = (word: string): string => word.toLowerCase().replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');

/** The word as flite should be given it, its punctuation kept. */
export function respell(word: string): string {
  const known = RESPELT[bare(word)];
  return known === undefined ? word : word.toLowerCase().replace(bare(word), known);
}

/** @see INTERJECTIONS */
export function interjectionPhones(word: string): readonly string[] | undefined {
  return INTERJECTIONS[bare(word)];
}
