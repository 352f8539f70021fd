/** Roles and voices made into what a conversation starts from. */
import { NpcVoiceError } from '../../errors';
import { consumeAll, promptColumns, type Primed, type PromptColumns } from '../generator';
import type { Engine } from './engine';
import type { HostPrompt, PrimedFigures } from './messages';
import { PrimedPrompts, type PrimedLease } from './primed-prompts';
import type { Pace, Turns } from './turns';
import { Voices } from './voices';

export class Prompts {
  readonly #engine: Engine;
  readonly #turns: Turns;
  readonly #pace: Pace;
  readonly #voices: Voices;
  readonly #primed: PrimedPrompts;

  /** @param primedBytes what computed prompts may take together */
  constructor(engine: Engine, turns: Turns, pace: Pace, primedBytes: number) {
    this.#engine = engine;
    this.#turns = turns;
    this.#pace = pace;
    this.#voices = new Voices(turns, () => engine.newEncoder());
    this.#primed = new PrimedPrompts(primedBytes, engine.bytesPerColumn);
  }

  figures(): PrimedFigures {
    return this.#primed.figures();
  }

  /** @throws NpcVoiceError `io`, `bad_audio` or `voice_invalid` for the voice, `persona_invalid` for too long a role */
  async columns({ voice, text }: HostPrompt): Promise<PromptColumns> {
    const { model, generator } = this.#engine;
    const prompt = voice === null ? null : { voice: await this.#voices.read(voice), text };
    const columns = promptColumns(model.config, generator.tokens, prompt);
    if (columns.count > generator.window / 2)
      throw new NpcVoiceError(
        'persona_invalid',
        `Role, facts and voice take ${columns.count} frames; the model remembers ${generator.window} in all.`,
        { hint: 'Shorten the role or the voice prompt to less than half of that.' },
      );
    return columns;
  }

  /** The prompt, computed now in slices between steps, or before. */
  prime(columns: PromptColumns): Promise<PrimedLease> {
    return this.#primed.acquire(columns, () => this.#compute(columns));
  }

  async #compute(columns: PromptColumns): Promise<Primed> {
    const { model } = this.#engine;
    const { dim } = model.config;
    const width = columns.tokens.length / columns.count;
    const cache = model.newCache(1);
    let outlook: Primed['outlook'] | undefined;
    try {
      for (let from = 0; from < columns.count;) {
        await this.#turns.slice(async () => {
          const began = performance.now();
          const to = Math.min(columns.count, from + Math.min(this.#pace.columns(began), cache.longestRun));
          outlook = await consumeAll(
            model,
            cache,
            columns.tokens.subarray(from * width, to * width),
            columns.embeddings?.subarray(from * dim, to * dim) ?? null,
          );
          this.#pace.sliced(to - from, performance.now() - began);
          from = to;
        });
      }
      return { columns, cache: await cache.snapshot(0), outlook: outlook! };
    } finally {
      cache.dispose();
    }
  }
}
