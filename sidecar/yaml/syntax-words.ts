/** The parser's errors in a writer's words. */
import type { YAMLError } from 'yaml';
import type { Range } from './compose';

/** An item or value that begins with a variable, which YAML takes for a map. */
const BRACE_FIRST = /^(\s*(?:- +)?(?:\w+: +)?)(\{[a-z_][a-z0-9_]*\})./;
const QUOTES =
  'Text with \': \' in it, or beginning with one of [ ] { } * & ! | > \' " % @ `, needs "quotes" around all of it.';
const CLOSE = 'Close it in its own lines, or, where it is text, put "quotes" around all of the text.';

interface Words {
  code: string;
  range: Range;
  message: string;
  hint?: string;
}

interface Around {
  /** Offset of the beginning of the line at fault. */
  line: number;
  /** Where the last quoted text opens. */
  lastQuote: Range;
  /** The bracket that is never closed, where that is the problem. */
  bracket: Range | undefined;
}

export function syntaxWords(problem: YAMLError, text: string, { line, lastQuote, bracket }: Around): Words {
  const range: Range = problem.pos;
  const say = (message: string, hint?: string, where = range): Words => ({
    code: 'yaml_syntax', range: where, message, ...(hint === undefined ? {} : { hint }),
  }); // prettier-ignore
  if (problem.code === 'DUPLICATE_KEY')
    return { ...say('This key is there twice.', 'Keep one of them.'), code: 'duplicate_key' };
  const brace = BRACE_FIRST.exec(text.slice(line, line + 500).split('\n', 1)[0]!);
  if (brace) {
    const at = line + brace[1]!.length;
    const where: Range = [at, at + brace[2]!.length];
    return say(`Text that begins with ${brace[2]} needs quotes.`, 'Put "quotes" around all of it.', where);
  }
  // Whatever line comes next is met as if it stood inside: the mistake is where the bracket opens.
  if (bracket) return say(`This ${text.slice(...bracket)} is never closed.`, CLOSE, bracket);
  const found = text.slice(...problem.pos).trim();
  switch (problem.code) {
    case 'TAB_AS_INDENT':
      return say('Lines are indented with spaces here, not tabs.', 'Use two spaces for each level.');
    case 'BAD_INDENT':
      return say('This line does not line up with its neighbours.', 'Keys of one level start in the same column.');
    case 'TAG_RESOLVE_FAILED':
      return say('Tags are not used here.', 'Text that begins with ! needs quotes.');
    case 'BAD_ALIAS':
    case 'ALIAS_PROPS':
      return say(`${problem.message}.`, 'Text that begins with * or & needs quotes.');
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
    case 'BAD_SCALAR_START':
    case 'UNEXPECTED_TOKEN':
    case 'BLOCK_IN_FLOW':
      return say(`YAML cannot make sense of this${found && found.length < 40 ? `: ${found}` : '.'}`, QUOTES);
    case 'MISSING_CHAR':
      // A quote that is never closed runs to the end of the file: where it opens is where the mistake is.
      return /quote/.test(problem.message)
        ? say('This quote is never closed.', QUOTES, lastQuote)
        : say(`${problem.message}.`, QUOTES);
    default:
      return say(`${problem.message}.`);
  }
} // prettier-ignore
