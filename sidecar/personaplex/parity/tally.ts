/** What a trace's replay came to: tokens that agree, and the largest errors. */

export type Measure = 'hidden' | 'text logits' | 'latents' | 'audio' | 'voice rows';

/** What a measure is in, where it is not the values' own. */
const UNITS: Partial<Record<Measure, string>> = { 'voice rows': 'bf16 steps' };

function show(measure: Measure, error: number): string {
  const unit = UNITS[measure];
  return unit ? `${error.toExponential(1)} ${unit}` : error.toExponential(1);
}

export interface Limits {
  /** The largest error allowed, by measure; absent: reported only. */
  largest: Readonly<Partial<Record<Measure, number>>>;
}

export class Tally {
  tokens = 0;
  equalTokens = 0;
  readonly errors = new Map<Measure, number>();
  /** Parts whose tokens were wrong, with how many. */
  readonly faults: string[] = [];
  readonly parts: string[] = [];

  constructor(readonly name: string) {}

  /** Counts a part's tokens. */
  part(name: string, pairs: Iterable<readonly [ours: number, theirs: number]>): void {
    let [equal, total] = [0, 0];
    for (const [ours, theirs] of pairs) {
      total++;
      if (ours === theirs) equal++;
    }
    this.tokens += total;
    this.equalTokens += equal;
    this.parts.push(name);
    if (equal < total) this.faults.push(`${name}: ${total - equal} of ${total} tokens differ`);
  }

  /** Remembers the largest difference, over `peak` where the measure is relative. */
  measure(measure: Measure, ours: ArrayLike<number>, theirs: ArrayLike<number>, peak = 1): void {
    let largest = ours.length === theirs.length ? 0 : Infinity;
    for (let i = 0; i < theirs.length; i++) {
      const difference = Math.abs(ours[i]! - theirs[i]!) / peak;
      // Not a number is an error without bound.
      if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
    }
    this.errors.set(measure, Math.max(this.errors.get(measure) ?? 0, largest));
  }

  /** Whether all tokens are equal and no error is over its limit. */
  passes({ largest }: Limits): boolean {
    return this.overs(largest).length === 0 && this.equalTokens === this.tokens && this.tokens > 0;
  }

  private overs(largest: Limits['largest']): string[] {
    return [...this.errors]
      .filter(([measure, error]) => error > (largest[measure] ?? Infinity))
      .map(([measure, error]) => `${measure}: error ${show(measure, error)} is over ${largest[measure]}`);
  }

  /** One line; what went wrong follows, indented. */
  render(limits: Limits): string {
    const errors = [...this.errors].map(([measure, error]) => `${measure} ${show(measure, error)}`);
    const verdict = this.passes(limits) ? 'ok' : 'FAILED';
    const line = `${this.name}: ${verdict}  tokens ${this.equalTokens}/${this.tokens}  ${errors.join('  ')}  (${this.parts.join(', ')})`;
    const faults = [
      ...this.faults,
      ...this.overs(limits.largest),
      ...(this.tokens === 0 ? ['nothing was compared'] : []),
    ];
    return [line, ...faults.map((fault) => `    ${fault}`)].join('\n');
  }
}
