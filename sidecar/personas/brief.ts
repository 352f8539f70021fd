/** A persona, a voice and the game's state as one brief for a duplex model. */
import type { CharacterBrief, DuplexVoice } from '../duplex';
import type { BriefOverrides } from '../scene/ports';
import type { StateValue } from '../wire/messages';
import { renderPrompt } from './prompt';
import type { Persona } from './schema';
import { fillVariables } from './variables';

/** `state` goes before the persona's defaults, `overrides` before what the file says. */
export function briefOf(
  persona: Persona,
  voice: DuplexVoice,
  state: Readonly<Record<string, StateValue>>,
  overrides: BriefOverrides = {},
): CharacterBrief {
  const valueOf = (name: string): StateValue | undefined =>
    Object.hasOwn(state, name)
      ? state[name]
      : Object.hasOwn(persona.state, name)
        ? persona.state[name]
        : undefined;
  const fill = (text: string): string => fillVariables(text, valueOf);
  const facts = persona.facts.map(fill);
  const { turn_taking: turns, sampling, lines } = persona;
  return {
    persona: persona.id,
    name: persona.name,
    language: persona.language,
    prompt: renderPrompt(fill(persona.role), facts),
    facts,
    voice,
    turnTaking: {
      patienceMs: overrides.patienceMs ?? turns.patience_ms,
      overlap: overrides.overlap ?? turns.overlap,
      resume: turns.resume,
      backchannelsPerMinute: overrides.backchannelsPerMinute ?? turns.backchannels_per_minute,
    },
    sampling: {
      textTemperature: sampling.text_temperature,
      textTopK: sampling.text_top_k,
      audioTemperature: sampling.audio_temperature,
      audioTopK: sampling.audio_top_k,
    },
    lines: {
      greeting: lines.greeting.map(fill),
      replies: lines.replies.map(fill),
      interrupted: lines.interrupted.map(fill),
      idle: lines.idle.map(fill),
      idleEverySeconds: lines.idle_every_s,
      farewell: lines.farewell.map(fill),
      backchannels: lines.backchannels.map(fill),
    },
  };
}
