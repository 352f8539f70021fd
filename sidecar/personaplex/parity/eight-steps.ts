/** Makes the 8-step form of a 16-step checkpoint: what plain Moshi's looks like, without the steps for the user. */
import { readFileSync, writeFileSync } from 'node:fs';
import { headerLength, parseHeader } from '../checkpoint';
import { DEPTH_STEPS } from '../graphs';

const STORED_STEPS = 2 * DEPTH_STEPS;

/** Whether a tensor belongs to a step that the 8-step form does not have. */
function isDropped(name: string): boolean {
  const step =
    /^(?:depformer_in|linears|depformer\.layers\.\d+\.(?:gating|self_attn\.(?:in|out)_projs))\.(\d+)\./.exec(
      name,
    );
  if (step) return Number(step[1]) >= DEPTH_STEPS;
  const embedding = /^depformer_emb\.(\d+)\./.exec(name);
  return embedding !== null && Number(embedding[1]) >= DEPTH_STEPS - 1;
}

/** Writes it. @returns false when the checkpoint has that form already */
export function writeEightSteps(from: string, to: string): boolean {
  const bytes = readFileSync(from);
  const length = headerLength(bytes, bytes.length, from);
  const start = 8 + length;
  const { tensors } = parseHeader(bytes.subarray(8, start), bytes.length, from);
  if (!tensors.has(`depformer_in.${STORED_STEPS - 1}.weight`)) return false;
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { dtype, shape, position, byteLength }] of tensors) {
    if (isDropped(name)) continue;
    // Newer files split these matrices by step; in the others all steps are stacked.
    const halved = /^depformer\..*\.self_attn\.(?:in_proj_weight|out_proj\.weight)$/.test(name);
    const own = halved ? byteLength / 2 : byteLength;
    header[name] = {
      dtype,
      shape: halved ? [shape[0]! / 2, ...shape.slice(1)] : shape,
      data_offsets: [offset, offset + own],
    };
    parts.push(bytes.subarray(position, position + own));
    offset += own;
  }
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(to, Buffer.concat([prefix, json, ...parts]));
  return true;
}
