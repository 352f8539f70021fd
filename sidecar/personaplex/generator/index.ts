/** From a primed prompt to spoken frames: delays, forced columns, sampling, several NPCs in lockstep. */
export {
  consumeAll,
  Generator,
  Refresh,
  type GeneratorOptions,
  type Primed,
  type SpokenFrame,
} from './generator';
export { fillGumbel, threefry } from './noise';
export {
  PERSONAPLEX_TOKENS,
  promptColumns,
  type Prompt,
  type PromptColumns,
  type SpeechTokens,
  type VoicePrompt,
} from './prompt';
export { GREEDY, SeatState, type Sampling } from './seat';
