/** What tests of the hub, of downloads and of installations share. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { NpcVoiceError } from '../../../sidecar/errors';

export const TOKEN = 'hf_reader';
export const REPOSITORY = 'someone/model';
export const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What a work that has to fail fails with. */
export const failure = async (work: Promise<unknown>): Promise<NpcVoiceError> => {
  const error = await work.then(
    () => new Error('it succeeded'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(NpcVoiceError);
  return error as NpcVoiceError;
};
