import type { DuplexModel } from '../duplex';
import { Understudy, type UnderstudyOptions } from './model';

export type { UnderstudyOptions } from './model';

/** The embedded duplex model. `start()` it before use. */
export function createUnderstudy(options: UnderstudyOptions = {}): DuplexModel {
  return new Understudy(options);
}
