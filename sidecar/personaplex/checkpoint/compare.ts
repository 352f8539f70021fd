/** Compares the tensors a file holds with those its layout asks for. */
import { NpcVoiceError } from '../../errors';
import { FLOAT_DTYPES } from './dtype';
import type { TensorEntry } from './safetensors';

export type Shape = readonly number[];

/** A tensor, or a part of one, that the import leaves out. */
export interface DroppedTensor {
  name: string;
  /** Rows left out, when it is not the whole tensor: [first, end). */
  rows?: readonly [number, number];
  reason: string;
}

const NAMED = 6;
const list = (items: readonly string[]): string =>
  items.slice(0, NAMED).join(', ') + (items.length > NAMED ? ` and ${items.length - NAMED} more` : '');

const shapeText = (shape: Shape): string => `[${shape.join(', ')}]`;

/**
 * @param found the file's tensors by canonical name
 * @param expected the layout's shapes by canonical name
 * @throws NpcVoiceError `model_invalid` that names what is missing, unknown, misshapen or of no float format
 */
export function compareWithLayout(
  file: string,
  kind: string,
  found: ReadonlyMap<string, TensorEntry>,
  expected: ReadonlyMap<string, Shape>,
): void {
  const missing = [...expected.keys()].filter((name) => !found.has(name));
  const unknown = [...found.keys()].filter((name) => !expected.has(name));
  const misshapen: string[] = [];
  const wrongType: string[] = [];
  for (const [name, shape] of expected) {
    const entry = found.get(name);
    if (!entry) continue;
    if (entry.shape.length !== shape.length || entry.shape.some((size, i) => size !== shape[i]))
      misshapen.push(`${entry.name} is ${shapeText(entry.shape)}, not ${shapeText(shape)}`);
    if (!FLOAT_DTYPES.includes(entry.dtype)) wrongType.push(`${entry.name} (${entry.dtype})`);
  }
  const faults = [
    missing.length && `missing: ${list(missing)}`,
    unknown.length && `not known to this model: ${list(unknown)}`,
    misshapen.length && `of the wrong shape: ${list(misshapen)}`,
    wrongType.length && `of a format that weights do not have: ${list(wrongType)}`,
  ].filter(Boolean);
  if (faults.length)
    throw new NpcVoiceError(
      'model_invalid',
      `${file} is not ${kind}: tensors ${faults.join('; tensors ')}.`,
      {
        hint: 'Take the files of nvidia/personaplex-7b-v1 or kyutai/moshiko-pytorch-bf16 as they were published.',
      },
    );
}
