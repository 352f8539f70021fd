/** What is known of the files of one folder: the last good version of each, and what is wrong with it now. */
import { firstError, type Problem, type Reading } from '../yaml';

export interface ShelfEntry<T> {
  /** The file is there, good or not. */
  there: boolean;
  good: T | undefined;
  /** Of the file as it is now. */
  problems: readonly Problem[];
  reading: Reading;
}

export class Shelf<T> {
  private readonly byId = new Map<string, ShelfEntry<T>>();

  get(id: string): ShelfEntry<T> | undefined {
    return this.byId.get(id);
  }

  /** Puts a version in; without `good` the last good one stays. */
  put(id: string, reading: Reading, good: T | undefined, problems: readonly Problem[]): void {
    this.byId.set(id, { there: true, good: good ?? this.byId.get(id)?.good, problems, reading });
  }

  /** The file has gone; its last good version stays. False when it was not there. */
  remove(id: string): boolean {
    const entry = this.byId.get(id);
    if (!entry?.there) return false;
    if (entry.good === undefined) this.byId.delete(id);
    else this.byId.set(id, { ...entry, there: false, problems: [] });
    return true;
  }

  /** Ids of files that are there and have a good version, sorted. */
  there(): string[] {
    return this.entries().map(([id]) => id);
  }
  /** What is there and has a good version, by id. */
  entries(): [id: string, good: T][] {
    return this.sorted().flatMap(([id, { there, good }]) =>
      there && good !== undefined ? [[id, good]] : [],
    );
  }
  /** Last good versions, of files that have gone too. */
  live(): [id: string, good: T][] {
    return this.sorted().flatMap(([id, { good }]) => (good !== undefined ? [[id, good]] : []));
  }
  /** Files that are refused as they are, with the first reason. */
  refused(): [id: string, problem: Problem, reading: Reading][] {
    return this.sorted().flatMap(([id, { problems, reading }]) => {
      const problem = firstError(problems);
      return problem ? [[id, problem, reading]] : [];
    });
  }

  private sorted(): [string, ShelfEntry<T>][] {
    return [...this.byId].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}
