/** YAML text → its document, refusing what would take a parser's stack or its time. */
import { Composer, Lexer, Parser, type Document, type ParsedNode, type YAMLError } from 'yaml';
import { OpenBrackets } from './brackets';
import { syntaxWords } from './syntax-words';

/** A file, UTF-8 bytes. */
export const MAX_BYTES = 256 * 1024;
/** Maps and lists within each other. */
export const MAX_DEPTH = 32;
/** Keys of one map, items of one list. */
const MAX_ITEMS = 1000;
/** Lexical tokens of a file; the shipped cast has under 2000 each. */
const MAX_TOKENS = 50_000;

export type Range = readonly [from: number, to: number];
/** Takes one error at a range of the text. */
export type Complain = (code: string, range: Range, message: string, hint?: string) => void;

/** Too much of something to go on. */
export class LimitExceeded extends Error {
  constructor(
    readonly range: Range,
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

/** The one document of a text; undefined where there is none. Throws LimitExceeded. */
export function composeDocument(text: string, complain: Complain): Document.Parsed<ParsedNode> | undefined {
  const parser = new Parser();
  const composer = new Composer({ version: '1.2', schema: 'core', merge: false });
  const documents: (Document.Parsed | { errors: YAMLError[]; warnings: YAMLError[] })[] = [];
  const feed = (lexeme?: string) => {
    for (const token of lexeme === undefined ? parser.end() : parser.next(lexeme)) {
      if (token.type === 'directive')
        complain('yaml_directive', [token.offset, token.offset + token.source.length],
          'Directives are not used here.', 'Take the line that begins with % out.'); // prettier-ignore
      else documents.push(...composer.next(token));
    }
  };
  let tokens = 0;
  let lastQuote: Range = [0, 0];
  const brackets = new OpenBrackets();
  // Composing recurses and compares each key with each: depth and sizes are checked while tokens are still flat.
  for (const lexeme of new Lexer().lex(text)) {
    feed(lexeme);
    const here: Range = [parser.offset - lexeme.length, parser.offset];
    if (lexeme[0] === "'" || lexeme[0] === '"') lastQuote = [here[0], here[0] + 1];
    brackets.take(lexeme, here[0]);
    const top = parser.stack.at(-1);
    if (parser.stack.length - 1 > MAX_DEPTH)
      throw new LimitExceeded(
        here,
        `This goes more than ${MAX_DEPTH} levels deep.`,
        'A persona needs three.',
      );
    if (top && 'items' in top && top.items.length > MAX_ITEMS)
      throw new LimitExceeded(here, `More than ${MAX_ITEMS} entries in one place.`, 'Take some out.');
    if (++tokens > MAX_TOKENS)
      throw new LimitExceeded(here, 'The file is too long.', `At most ${MAX_TOKENS} YAML tokens are read.`);
  }
  feed();
  brackets.end();
  documents.push(...composer.end(false, text.length));

  const lines = new Set<number>();
  for (const document of documents)
    for (const problem of [...document.errors, ...document.warnings]) {
      const bracket = brackets.blameOf(problem);
      // What follows a mistake in the same line is most often the same mistake.
      const line = text.lastIndexOf('\n', (bracket?.[0] ?? problem.pos[0]) - 1) + 1;
      if (lines.has(line)) continue;
      lines.add(line);
      const { code, range, message, hint } = syntaxWords(problem, text, { line, lastQuote, bracket });
      complain(code, range, message, hint);
    }
  const [first, second] = documents as Document.Parsed[];
  if (second)
    complain('yaml_documents', [second.range[0], second.range[0]],
      'There is a second document in this file.', 'Take the line --- out; one file is one document.'); // prettier-ignore
  return first;
}
