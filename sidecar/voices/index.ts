/** Voices: files in voices/ that say how each duplex model sounds like them. */
export { loadVoice, soundOf, voiceFileSchema } from './load';
export { Recordings } from './recordings';
export { voiceSchema, type Voice, type VoiceFile } from './schema';
