/** A voice's text made into a voice, or into the problems that keep it from being one. */
import { FileSchema, validate, withoutEmptyKeys, YamlSource, type Problem } from '../yaml';
import type { DuplexVoice } from '../duplex';
import { voiceSchema, type Voice } from './schema';

/**
 * The part of a voice that is heard; its name and description are for people.
 * @param version of its recording; see Recordings
 */
export const soundOf = ({ id, understudy, personaplex }: Voice, version?: string): DuplexVoice => ({
  id,
  understudy,
  ...(personaplex === undefined
    ? {}
    : { personaplex: { ...personaplex, ...(version === undefined ? {} : { version }) } }),
});

export const voiceFileSchema = new FileSchema(voiceSchema);

export function loadVoice(
  id: string,
  text: string,
  file = `${id}.yaml`,
): { voice?: Voice; problems: Problem[] } {
  const source = new YamlSource(file, text);
  if (source.value === undefined && source.problems.length === 0)
    source.error('empty', [0, 0], 'The file is empty.', 'A voice has at least a name and an understudy.');
  if (source.problems.length > 0) return { problems: source.problems };
  const written = validate(source, voiceFileSchema, withoutEmptyKeys(source.value));
  if (!written) return { problems: source.problems };
  if (written.id !== undefined && written.id !== id)
    source.report('warning', 'id_differs', source.valueRange(['id']),
      `The id is '${written.id}', but the file's name makes it '${id}'.`, 'Take the id out, or rename the file.'); // prettier-ignore
  return { voice: { ...written, id }, problems: source.problems };
}
