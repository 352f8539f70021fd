/** Models that can be installed by name: what to fetch, and under which licence. */

export interface Licence {
  name: string;
  /** Where its text is. */
  url: string;
  /** What it comes to, in a few lines; shown before it is accepted. */
  summary: readonly string[];
}

export interface CatalogueEntry {
  id: string;
  name: string;
  about: string;
  repository: string;
  /** The licence has to be accepted on the repository's page, and HF_TOKEN has to belong to who did. */
  gated: boolean;
  licence: Licence;
  files: readonly string[];
}

const CODEC = 'tokenizer-e351c8d8-checkpoint125.safetensors';
const TOKENIZER = 'tokenizer_spm_32k_3.model';

export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    id: 'personaplex',
    name: 'PersonaPlex 7B',
    about: 'NVIDIA’s full-duplex model: it takes a role and a voice. 17 GB to download.',
    repository: 'nvidia/personaplex-7b-v1',
    gated: true,
    licence: {
      name: 'NVIDIA Open Model License',
      url: 'https://www.nvidia.com/en-us/agreements/enterprise-software/nvidia-open-model-license/',
      summary: [
        'PersonaPlex-7B-v1 is NVIDIA’s, under the NVIDIA Open Model License. It may be used commercially; NVIDIA claims',
        'no ownership of what it says. Whoever passes the model on must pass the licence on with it. Read it in full',
        'before you accept it; accepting it here does not replace accepting it on the model’s page.',
      ],
    },
    files: ['config.json', 'model.safetensors', CODEC, TOKENIZER, 'voices.tgz'],
  },
  {
    id: 'moshiko',
    name: 'Moshi (Moshiko)',
    about: 'Kyutai’s Moshi: one fixed voice, no persona, no licence gate. 16 GB to download.',
    repository: 'kyutai/moshiko-pytorch-bf16',
    gated: false,
    licence: {
      name: 'CC BY 4.0',
      url: 'https://creativecommons.org/licenses/by/4.0/',
      summary: [
        'Moshi is Kyutai’s, under CC BY 4.0: use it for anything, but name Kyutai as its author wherever you pass it on.',
      ],
    },
    files: ['model.safetensors', CODEC, TOKENIZER],
  },
];
