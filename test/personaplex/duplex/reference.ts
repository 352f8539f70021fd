/** The same conversation as the duplex model's, driven through the generator and the codec alone, in this process. */
import { softLimit } from '../../../sidecar/audio';
import { Generator, type Prompt } from '../../../sidecar/personaplex/generator';
import { speechTokens } from '../../../sidecar/personaplex/host/speech-tokens';
import { LanguageModel, MimiDecoder, MimiEncoder, openMimi } from '../../../sidecar/personaplex/runtime';
import { openModel } from '../../../sidecar/personaplex/store';
import { Tokenizer } from '../../../sidecar/personaplex/tokenizer';
import { readVoicePrompt } from '../../../sidecar/personaplex/voice';
import type { CharacterBrief } from '../../../sidecar/duplex';
import path from 'node:path';
import type { TinyModel } from '../tiny-model';

export class Reference {
  private constructor(
    readonly model: LanguageModel,
    readonly generator: Generator,
    readonly tokenizer: Tokenizer,
    readonly encoder: () => MimiEncoder,
    readonly decoder: () => MimiDecoder,
    private readonly voices: string,
  ) {}

  static async open(tiny: TinyModel): Promise<Reference> {
    const { manifest, graphs, tokenizer } = openModel('tiny', tiny.models);
    const provider = { provider: 'cpu' } as const;
    const model = await LanguageModel.open(
      { config: manifest.lm, temporal: graphs.temporal, depth: graphs.depth },
      provider,
    );
    const codec = await openMimi({ encoder: graphs.mimiEncoder, decoder: graphs.mimiDecoder }, provider);
    const encoder = () => new MimiEncoder(codec.encoder, manifest.mimi, 1);
    const tokens = await speechTokens(manifest.lm.card, encoder);
    return new Reference(
      model,
      new Generator(model, { seats: 1, tokens }),
      Tokenizer.open(tokenizer!),
      encoder,
      () => new MimiDecoder(codec.decoder, manifest.mimi, 1),
      tiny.voices,
    );
  }

  async prompt(brief: CharacterBrief): Promise<Prompt> {
    const voice = readVoicePrompt(path.join(this.voices, brief.voice.personaplex!.prompt));
    if (voice.kind !== 'recording') throw new Error('a recording was expected');
    const encoder = this.encoder();
    const codes: number[] = [];
    for (let frame = 0; frame < voice.frames; frame++)
      codes.push(...(await encoder.encode(voice.samples.subarray(frame * 1920, (frame + 1) * 1920))).codes);
    return {
      voice: { kind: 'codes', codes: Int32Array.from(codes) },
      text: this.tokenizer.encode(`<system> ${brief.prompt} <system>`),
    };
  }

  /**
   * What it says to the frames it hears.
   * @param change the brief that its conversation is moved behind before frame `at`
   */
  async converse(
    brief: CharacterBrief,
    heard: readonly (Float32Array | null)[],
    change?: { at: number; brief: CharacterBrief },
  ) {
    await this.generator.attach(0, await this.generator.prime(await this.prompt(brief)), {
      seed: 0,
      sampling: brief.sampling,
    });
    const [encoder, decoder] = [this.encoder(), this.decoder()];
    const frames: { text: number; samples: Float32Array }[] = [];
    for (const [n, samples] of heard.entries()) {
      if (n === change?.at) await this.#move(change.brief, n);
      const codes = samples ? (await encoder.encode(samples)).codes : null;
      const [frame] = await this.generator.step([codes]);
      const spoken = (await decoder.decode(frame!.codes)).slice();
      softLimit(spoken);
      frames.push({ text: frame!.text, samples: spoken });
    }
    this.generator.detach(0);
    return frames;
  }

  async #move(brief: CharacterBrief, columns: number): Promise<void> {
    const primed = await this.generator.prime(await this.prompt(brief));
    const refresh = await this.generator.refresh(0, primed, columns);
    while (refresh.remaining > 0) await refresh.advance(columns);
    await refresh.swap();
  }
}
