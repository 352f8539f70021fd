/** What a trace's replay came to: tokens that agree, the largest errors, and where the first fault and the worst stand. */

export type Measure = 'hidden' | 'text logits' | 'latents' | 'codes' | 'audio' | 'voice rows';

/** What a measure is in, where it is not the values' own. */
const UNITS: Partial<Record<Measure, string>> = { 'voice rows': 'bf16 steps' };

function show(measure: Measure, error: number): string {
  const figure = measure === 'codes' ? String(error) : error.toExponential(1);
  return UNITS[measure] ? `${figure} ${UNITS[measure]}` : figure;
}

export interface Limits {
  /** The largest error allowed, by measure; absent: reported only. */
  largest: Readonly<Partial<Record<Measure, number>>>;
}

/** A token, what the trace has in its place, and the place: `steps[30].out[5]`. */
export type TokenPair = readonly [ours: number, theirs: number, where: string];

/** A record is compared over its own length; without one there is nothing to compare. */
export function pairUp(
  ours: ArrayLike<number>,
  theirs: readonly number[] | null | undefined,
  where: string,
): TokenPair[] {
  return (theirs ?? []).map((token, i) => [ours[i] ?? Number.NaN, token, `${where}[${i}]`] as const);
}

/** An error, and where it was found. */
interface Worst {
  error: number;
  where: string;
}

/** What the values of a measure are told by. */
export interface Scale {
  /** Errors are relative to this. */
  peak: number;
  /** By how much the trace itself rounded its values. */
  rounding: number;
}
const ABSOLUTE: Scale = { peak: 1, rounding: 0 };

export class Tally {
  tokens = 0;
  equalTokens = 0;
  readonly worst = new Map<Measure, Worst>();
  /** What rounding alone may come to. */
  private readonly roundings = new Map<Measure, number>();
  /** Parts whose tokens were wrong, with how many. */
  readonly faults: string[] = [];
  readonly parts: string[] = [];
  /** What the line should not be read to say. */
  readonly remarks: string[] = [];

  constructor(readonly name: string) {}

  /** Counts a part's tokens; a part without any is not named among those compared. */
  part(name: string, pairs: Iterable<TokenPair>): void {
    let [differ, total] = [0, 0];
    let first = '';
    for (const [ours, theirs, where] of pairs) {
      total++;
      if (ours === theirs) continue;
      if (differ++ === 0) first = `${where} is ${theirs} there, ${Number.isNaN(ours) ? 'absent' : ours} here`;
    }
    if (total === 0) return;
    this.tokens += total;
    this.equalTokens += total - differ;
    this.parts.push(name);
    if (differ > 0) this.faults.push(`${name}: ${differ} of ${total} tokens differ, the first: ${first}`);
  }

  /** Remembers the largest difference, over `peak` where the measure is relative. */
  measure(
    measure: Measure,
    ours: ArrayLike<number>,
    theirs: ArrayLike<number>,
    where: string,
    { peak, rounding }: Scale = ABSOLUTE,
  ): void {
    this.roundings.set(measure, rounding / peak);
    let worst = this.worst.get(measure) ?? { error: 0, where };
    const isWhole = ours.length === theirs.length;
    if (!isWhole)
      worst = { error: Infinity, where: `${where}, which has ${theirs.length} values, not ${ours.length}` };
    for (let i = 0; isWhole && i < theirs.length; i++) {
      const difference = Math.abs(ours[i]! - theirs[i]!) / peak;
      // Not a number is an error without bound.
      if (!(difference <= worst.error))
        worst = { error: Number.isNaN(difference) ? Infinity : difference, where: `${where}[${i}]` };
    }
    this.worst.set(measure, worst);
  }

  /** Whether all tokens are equal and no error is over its limit. */
  passes({ largest }: Limits): boolean {
    return this.overs(largest).length === 0 && this.equalTokens === this.tokens && this.tokens > 0;
  }

  private overs(largest: Limits['largest']): string[] {
    return this.beyond(largest)
      .filter(([measure, { error }]) => error > largest[measure]! + this.roundings.get(measure)!)
      .map(
        ([measure, { error, where }]) =>
          `${measure}: error ${show(measure, error)} is over ${largest[measure]}, at ${where}`,
      );
  }

  /** Measures over their limits, be it by the trace's own rounding only. */
  private beyond(largest: Limits['largest']): [Measure, Worst][] {
    return [...this.worst].filter(([measure, { error }]) => error > (largest[measure] ?? Infinity));
  }

  /** One line; what went wrong follows, indented. */
  render(limits: Limits): string {
    const errors = [...this.worst].map(([measure, { error }]) => `${measure} ${show(measure, error)}`);
    const verdict = this.passes(limits) ? 'ok' : 'FAILED';
    const overs = this.overs(limits.largest);
    const coarse = overs.length > 0 ? [] : this.beyond(limits.largest);
    const notes = [
      this.parts.join(', '),
      ...this.remarks,
      ...coarse.map(
        ([measure]) =>
          `the trace records ${measure} to ${show(measure, this.roundings.get(measure)!)} of the peak only`,
      ),
    ].filter(Boolean);
    const line = `${this.name}: ${verdict}  tokens ${this.equalTokens}/${this.tokens}  ${errors.join('  ')}  (${notes.join('; ')})`;
    const faults = [...this.faults, ...overs, ...(this.tokens === 0 ? ['nothing was compared'] : [])];
    return [line, ...faults.map((fault) => `    ${fault}`)].join('\n');
  }
}
