/**
 * The JSON Schemas that editors complete and check from, generated from the zod schemas. They are committed and
 * laid beside the files they describe, so that `# yaml-language-server: $schema=./persona.schema.json` works offline.
 */
import { voiceFileSchema } from '../voices';
import { personaFileSchema } from './load';

export const PERSONA_SCHEMA_FILE = 'persona.schema.json';
export const VOICE_SCHEMA_FILE = 'voice.schema.json';

/** JSON Schema (draft 7) of a persona file. */
export const personaJsonSchema = (): object => personaFileSchema.json;
/** JSON Schema (draft 7) of a voice file. */
export const voiceJsonSchema = (): object => voiceFileSchema.json;

/** A schema as its file has it. */
export const schemaText = (schema: object): string => JSON.stringify(schema, null, 2) + '\n';
