/** A Clock that moves only when told to: time for a scene offline and in tests. */
import type { Clock } from './clock';

interface Alarm {
  at: number;
  order: number;
  fn: () => void;
}

export class SteppedClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  now(): number {
    return this.#now;
  }

  after(ms: number, fn: () => void): () => void {
    const alarm: Alarm = { at: this.#now + Math.max(0, ms), order: this.#order++, fn };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  /** Moves to `at` (milliseconds), calling what falls due on the way, in order, each at its own time. */
  advanceTo(at: number): void {
    for (let next = this.#earliest(at); next; next = this.#earliest(at)) {
      this.#alarms.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fn();
    }
    this.#now = Math.max(this.#now, at);
  }

  advance(ms: number): void {
    this.advanceTo(this.#now + ms);
  }

  /** Alarms still to come. */
  get pending(): number {
    return this.#alarms.size;
  }

  #earliest(by: number): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms)
      if (
        alarm.at <= by &&
        (!first || alarm.at < first.at || (alarm.at === first.at && alarm.order < first.order))
      )
        first = alarm;
    return first;
  }
}
