/** Which [ and { of a text are never closed: the parser notices only where something else begins. */
import type { YAMLError } from 'yaml';
import type { Range } from './compose';

const CLOSER: Record<string, string> = { '[': ']', '{': '}' };
/** The lexer's sign that a line cannot belong to the brackets open above it. */
const CUT_SHORT = '\x18';

interface Bracket {
  at: number;
  closer: string;
}

export class OpenBrackets {
  private readonly open: Bracket[] = [];
  /** Inner ones before those around them. */
  private readonly unclosed: Bracket[] = [];

  /** Takes the lexer's next lexeme, which begins at offset `at`. */
  take(lexeme: string, at: number): void {
    const closer = CLOSER[lexeme];
    if (closer !== undefined) this.open.push({ at, closer });
    else if (lexeme === CUT_SHORT) this.end();
    else if (lexeme === ']' || lexeme === '}') {
      const bracket = this.open.pop();
      if (bracket && bracket.closer !== lexeme) this.unclosed.push(bracket);
    }
  }

  /** The text ends, or the brackets open so far do. */
  end(): void {
    while (this.open.length > 0) this.unclosed.push(this.open.pop()!);
  }

  /** The bracket that an error of the parser is about; each is blamed once. */
  blameOf({ message, pos }: YAMLError): Range | undefined {
    const closer = /must (?:.* )?end with a ([\]}])/.exec(message)?.[1];
    if (closer === undefined) return undefined;
    const i = this.unclosed.findIndex((bracket) => bracket.closer === closer && bracket.at < pos[0]);
    const [bracket] = i < 0 ? [] : this.unclosed.splice(i, 1);
    return bracket && [bracket.at, bracket.at + 1];
  }
}
