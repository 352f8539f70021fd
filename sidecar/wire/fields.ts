/** What a field of a message may hold, in a form that checks it and says it. */
import { NpcVoiceError } from '../errors';

export interface Field<T, Optional extends boolean = boolean> {
  /** Completes "must be ...". */
  readonly expects: string;
  readonly optional: Optional;
  /** Never repeat what was sent in an error. */
  readonly secret?: boolean;
  accepts(value: unknown): value is T;
}
type Required<T> = Field<T, false>;

/** One field for each of a message's, optional where the message's is. */
export type Shape<M> = {
  readonly [K in Exclude<keyof M, 't'>]-?: object extends Pick<M, K>
    ? Field<Exclude<M[K], undefined>, true>
    : Field<M[K], false>;
};
export type AnyShape = Readonly<Record<string, Field<unknown>>>;

function field<T>(expects: string, accepts: (value: unknown) => boolean): Required<T> {
  return { expects, optional: false, accepts: accepts as Required<T>['accepts'] };
}
export const optional = <T>(of: Required<T>): Field<T, true> => ({ ...of, optional: true });
export const secret = <T, O extends boolean>(of: Field<T, O>): Field<T, O> => ({ ...of, secret: true });

/** Ids name files and DOM nodes, so nothing else may be in them. */
export const ID_PATTERN = /^[a-z0-9_-]{1,64}$/;
const SOURCE_PATTERN = /^(mic|npc):[a-z0-9_-]{1,64}$/;
const VARIABLE_PATTERN = /^[a-z_][a-z0-9_]{0,63}$/;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

const isInt = (value: unknown, min: number, max: number): boolean =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
export const isUint32 = (value: unknown): value is number => isInt(value, 0, 0xffff_ffff);
export const isId = (value: unknown): value is string => typeof value === 'string' && ID_PATTERN.test(value);
const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

export const uint32 = field<number>('a whole number, 0..4294967295', isUint32);
export const int = (min: number, max: number) =>
  field<number>(`${min}..${max}`, (value) => isInt(value, min, max));
export const number = (min: number, max: number) =>
  field<number>(`a number, ${min}..${max}`, (v) => typeof v === 'number' && v >= min && v <= max);
/** Any finite number. */
export const figure = field<number>('a number', Number.isFinite);
export const bool = field<boolean>('true or false', (value) => typeof value === 'boolean');
export const id = field<string>('1 to 64 of a-z, 0-9, _ and -', isId);
export const source = <S extends string>() =>
  field<S>('mic:<id> or npc:<id>', (value) => typeof value === 'string' && SOURCE_PATTERN.test(value));
export const bytes = field<Uint8Array>('binary', (value) => value instanceof Uint8Array);
export const text = field<string>('text', (value) => typeof value === 'string');
/** Text with something in it. */
export const phrase = (max: number) =>
  field<string>(
    `1 to ${max} characters of text`,
    (value) => typeof value === 'string' && value.length <= max && value.trim() !== '',
  );
/** One line: it goes into logs. */
export const line = (max: number) =>
  field<string>(
    `1 to ${max} characters on one line`,
    (v) => typeof v === 'string' && v.length <= max && v.trim() !== '' && !CONTROL.test(v),
  );
export const oneOf = <const T extends readonly (string | number)[]>(...values: T) =>
  field<T[number]>(
    values.length === 1 ? String(values[0]) : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`,
    (value) => (values as readonly unknown[]).includes(value),
  );
/** Game-state variables. */
export const variables = (max: number, maxText: number) =>
  field<Record<string, string | number | boolean>>(
    `a map of 1 to ${max} variables (a-z, 0-9 and _, not starting with a digit) to text of at most ${maxText} characters, numbers or true/false`,
    (value) => {
      if (!isMap(value)) return false;
      const entries = Object.entries(value);
      return (
        entries.length >= 1 &&
        entries.length <= max &&
        entries.every(
          ([name, held]) =>
            VARIABLE_PATTERN.test(name) &&
            (typeof held === 'boolean' ||
              (typeof held === 'number' && Number.isFinite(held)) ||
              (typeof held === 'string' && held.length <= maxText)),
        )
      );
    },
  );
export const listOf = <T>(of: Required<T>) =>
  field<T[]>(
    `a list, each ${of.expects}`,
    (value) => Array.isArray(value) && value.every((v) => of.accepts(v)),
  );
/** A map with these fields; more are let pass. */
export const mapOf = <M extends object>(shape: Shape<M>) =>
  field<M>(
    `a map of ${Object.keys(shape).join(', ')}`,
    (value) => isMap(value) && fieldsOf(shape).every(([name, f]) => hasField(f, value[name])),
  );

const fieldsOf = (shape: object): [string, Field<unknown>][] => Object.entries(shape as AnyShape);
/** nil stands for absent: several languages have no other way to leave a field out. */
const hasField = (f: Field<unknown>, value: unknown): boolean =>
  value === undefined || value === null ? f.optional : f.accepts(value);

/** A value as an error shows it. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'a map' : String(value);
}

/**
 * Checks a message's fields, and drops those that are nil.
 * @throws NpcVoiceError `bad_field`, naming the field: `open_mic.rate must be 8000..48000, got 96000`
 */
export function checkFields(
  type: string,
  shape: AnyShape,
  message: Record<string, unknown>,
  onUnknown: 'refuse' | 'ignore',
): void {
  for (const name of Object.keys(message)) {
    if (name === 't') continue;
    const f = Object.hasOwn(shape, name) ? shape[name] : undefined;
    if (message[name] === null && (f === undefined || f.optional)) {
      delete message[name];
      continue;
    }
    if (f === undefined) {
      if (onUnknown === 'ignore') continue;
      throw new NpcVoiceError('bad_field', `${type} has no field ${show(name)}`, {
        hint: `It has ${Object.keys(shape).join(', ')}.`,
      });
    }
    if (f.accepts(message[name])) continue;
    const got = f.secret ? '' : `, got ${show(message[name])}`;
    throw new NpcVoiceError('bad_field', `${type}.${name} must be ${f.expects}${got}`);
  }
  for (const name in shape)
    if (!shape[name]!.optional && message[name] === undefined)
      throw new NpcVoiceError('bad_field', `${type}.${name} is missing; it must be ${shape[name]!.expects}`);
}
