/** Personas: files in npc-personas/ that say who a character is, kept live while they are edited. */
export { classifyChange, diffPersona } from './diff';
export {
  PERSONA_SCHEMA_FILE, personaJsonSchema, schemaText, VOICE_SCHEMA_FILE, voiceJsonSchema,
} from './json-schema'; // prettier-ignore
export {
  PersonaLibrary, type LibraryOptions, type PersonaChange, type PersonaListing, type PersonaRejection,
} from './library'; // prettier-ignore
export { lintPersona } from './lint';
export { loadPersona, personaFileSchema, type LoadedPersona, type PersonaContext } from './load';
export { estimatePrompt, renderPrompt, type PromptCost } from './prompt';
export { ID_PATTERN, personaSchema, type Persona, type PersonaFile } from './schema';
export { nameFromId, personaTemplate } from './template';
export { escapeBraces, fillVariables, scanVariables } from './variables';
export type { Problem, Severity } from '../yaml';
