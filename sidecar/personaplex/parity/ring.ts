/** Follows the reference's ring of delayed tokens from what it was given, and compares every token a trace records. */
import type { LmStep, LmTrace, SavedVoice } from './fixtures';
import { pairUp, type Tally, type TokenPair } from './tally';

/** Columns in the reference's ring. */
const COLUMNS = 4;
/** What the reference keeps in a cell nothing was written to yet. */
const UNWRITTEN = -2;
const CODEBOOKS = 8;

/** What a step is given: text, eight agent codes, eight user codes; what is absent, the model chooses. */
interface Given {
  text?: number | null | undefined;
  agent?: readonly number[] | null | undefined;
  user?: readonly number[] | null | undefined;
}

/** Flags as the reference's tensors keep them, or as JSON does. */
const asNumbers = (flags: readonly (boolean | number)[]): number[] => flags.map(Number);

/** A table of streams by columns, in rows or within one more list. */
const cellsOf = (table: SavedVoice['cache']): number[] => table.flat(2) as number[];

/** The semantic codebook of each voice and the text are undelayed, the acoustic ones come one column later. */
export const delayOf = (stream: number): number => (stream === 0 || (stream - 1) % CODEBOOKS === 0 ? 0 : 1);

/** The 17 by 4 cells as they are after each step of the reference (its `LMGen.step`, in the order it writes them). */
class Ring {
  readonly cells: number[][];
  readonly provided: number[][];

  constructor(private readonly initial: readonly number[]) {
    this.cells = initial.map(() => new Array<number>(COLUMNS).fill(UNWRITTEN));
    this.provided = initial.map(() => new Array<number>(COLUMNS).fill(0));
  }

  give({ text, agent, user }: Given, offset: number): void {
    if (isToken(text)) this.write(0, offset, text);
    agent?.forEach((code, q) => this.write(1 + q, offset + delayOf(1 + q), code));
    user?.forEach((code, q) => this.write(1 + CODEBOOKS + q, offset + delayOf(1 + q), code));
    this.initial.forEach((token, stream) => {
      // Delayed streams have nothing to say in column 1 yet; and of the first frame nothing is kept.
      if (offset <= delayOf(stream)) this.write(stream, offset, token);
    });
  }

  column(offset: number, of = this.cells): number[] {
    return of.map((cells) => cells[offset % COLUMNS]!);
  }

  /** The column before is consumed; the column at `offset` takes what was chosen wherever it was not given. */
  fill(offset: number, chosen: readonly (number | undefined)[]): void {
    this.cells.forEach((cells, stream) => {
      const provided = this.provided[stream]!;
      provided[(offset - 1) % COLUMNS] = 0;
      if (!provided[offset % COLUMNS]) cells[offset % COLUMNS] = chosen[stream] ?? UNWRITTEN;
    });
  }

  /** The frame at `offset`, its delays undone. */
  frame(offset: number): number[] {
    return this.cells.map((cells, stream) => cells[(offset + delayOf(stream)) % COLUMNS]!);
  }

  private write(stream: number, column: number, token: number): void {
    this.cells[stream]![column % COLUMNS] = token;
    this.provided[stream]![column % COLUMNS] = 1;
  }
}

/** What the inputs of a trace have each step be given. */
function intended({ inputs, config, steps }: LmTrace): Given[] {
  const counts = new Map<string, number>();
  const prompted = { text: config.zero_text_code, agent: config.silence_tokens, user: config.sine_tokens };
  return steps.map(({ phase }) => {
    const frame = counts.get(phase) ?? 0;
    counts.set(phase, frame + 1);
    if (phase === 'live') return { user: inputs.user?.[frame] };
    if (phase === 'voice') return { ...prompted, agent: inputs.voice[frame] };
    if (phase === 'text') return { ...prompted, text: inputs.text[frame] };
    return prompted;
  });
}

const givenOf = ({ given }: LmStep, otherwise: Given): Given => ({
  text: given.text_token ?? otherwise.text,
  agent: given.moshi_tokens ?? otherwise.agent,
  user: given.input_tokens ?? otherwise.user,
});

/**
 * Compares, as parts of their own, what each step was given with the trace's inputs; the columns, the frames and the
 * ring it recorded with those that follow; and the saved voice with the ring it was saved from. Fields a trace leaves
 * out stay uncompared.
 *
 * @param initial the 17 tokens of the column before the first
 * @param saved the voice saved from this trace's prompt; null when there is none
 */
export function replayRing(
  trace: LmTrace,
  tally: Tally,
  initial: readonly number[],
  saved: SavedVoice | null,
): void {
  const inputs: TokenPair[] = [];
  const columns: TokenPair[] = [];
  const frames: TokenPair[] = [];
  const rings: TokenPair[] = [];
  const voice: TokenPair[] = [];
  const ring = new Ring(initial);
  const expected = intended(trace);
  const lastOfVoice = trace.inputs.voice.length - 1;
  trace.steps.forEach((step, i) => {
    const at = `steps[${i}]`;
    const { given, offset } = step;
    const { text, agent, user } = expected[i]!;
    if (isToken(text) && isToken(given.text_token))
      inputs.push([text, given.text_token, `${at}.given.text_token`]);
    if (agent) inputs.push(...pairUp(agent, given.moshi_tokens, `${at}.given.moshi_tokens`));
    if (user) inputs.push(...pairUp(user, given.input_tokens, `${at}.given.input_tokens`));

    ring.give(givenOf(step, expected[i]!), offset);
    if (offset > 0) {
      columns.push(
        ...pairUp(ring.column(offset - 1), step.model_input, `${at}.model_input`),
        ...pairUp(ring.column(offset).slice(1), step.target_before, `${at}.target_before`),
        ...pairUp(
          ring.column(offset, ring.provided).slice(1),
          step.forced && asNumbers(step.forced),
          `${at}.forced`,
        ),
      );
      ring.fill(offset, [step.dep_text?.[0], ...(step.dep_sampled ?? [])]);
    }
    // The first frame to come out is that of offset 2: before it there is only the initial column.
    frames.push(...pairUp(offset > 1 ? ring.frame(offset - 1) : [], step.out, `${at}.out`));
    step.cache_after?.forEach((cells, stream) =>
      rings.push(...pairUp(ring.cells[stream] ?? [], cells, `${at}.cache_after[${stream}]`)),
    );
    step.provided_after?.forEach((flags, stream) =>
      rings.push(...pairUp(ring.provided[stream] ?? [], asNumbers(flags), `${at}.provided_after[${stream}]`)),
    );
    if (saved && i === lastOfVoice) {
      voice.push(...pairUp(ring.cells.flat(), cellsOf(saved.cache), 'cache (flattened)'));
      if (saved.provided_after)
        voice.push(
          ...pairUp(ring.provided.flat(), cellsOf(saved.provided_after), 'provided_after (flattened)'),
        );
    }
  });
  tally.part('inputs', inputs);
  tally.part('columns', columns);
  tally.part('frames', frames);
  tally.part('ring', rings);
  if (saved) tally.part('saved ring', voice);
}

export function isToken(token: number | null | undefined): token is number {
  return token !== undefined && token !== null;
}
