/** The model's graphs, opened: what the host works with. */
import { NpcVoiceError } from '../../errors';
import { Generator } from '../generator';
import { LanguageModel, MimiDecoder, MimiEncoder, openMimi } from '../runtime';
import { openModelFolder, type InstalledModel } from '../store';
import type { LoadModel } from './messages';
import { speechTokens } from './speech-tokens';

type Codec = Awaited<ReturnType<typeof openMimi>>;

export class Engine {
  private constructor(
    readonly installed: InstalledModel,
    readonly model: LanguageModel,
    /** Conversations in lockstep. */
    readonly generator: Generator,
    private readonly codec: Codec,
  ) {}

  /** @throws NpcVoiceError `model_unavailable` or `model_invalid` */
  static async open({ folder, ep }: Pick<LoadModel, 'folder' | 'ep'>): Promise<Engine> {
    const installed = openModelFolder(folder);
    const { manifest, graphs } = installed;
    const { provider, lm, mimi } = manifest;
    if (ep !== 'auto' && ep !== provider)
      throw new NpcVoiceError(
        'model_unavailable',
        `The model ${manifest.id} was imported for ${provider}, not for ${ep}.`,
        { hint: `Import it again with --provider ${ep}.` },
      );
    const files = { config: lm, temporal: graphs.temporal, depth: graphs.depth };
    const model = await LanguageModel.open(files, { provider });
    // The codec keeps its state on the host, so the CPU is its place whatever the language model runs on.
    const codec = await openMimi(
      { encoder: graphs.mimiEncoder, decoder: graphs.mimiDecoder },
      { provider: 'cpu' },
    );
    const tokens = await speechTokens(lm.card, () => new MimiEncoder(codec.encoder, mimi, 1));
    return new Engine(installed, model, new Generator(model, { seats: 1, tokens }), codec);
  }

  /** One that has heard nothing; each seat has its own, for no two have heard the same from the start. */
  newEncoder(): MimiEncoder {
    return new MimiEncoder(this.codec.encoder, this.installed.manifest.mimi, 1);
  }
  /** One that has said nothing. */
  newDecoder(): MimiDecoder {
    return new MimiDecoder(this.codec.decoder, this.installed.manifest.mimi, 1);
  }

  /** Keys and values of one column. */
  get bytesPerColumn(): number {
    const { lm, activations } = this.installed.manifest;
    return lm.layers * 2 * lm.dim * (activations === 'f16' ? 2 : 4);
  }
}
