/** Writes SentencePiece model files for tests: ModelProto bytes, and the table of characters inside. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PieceType, type PieceTypeValue } from '../../../sidecar/personaplex/tokenizer';

export interface ModelSpec {
  pieces: readonly { text: string; score?: number; type?: PieceTypeValue }[];
  modelType?: number;
  byteFallback?: boolean;
  charsmap?: Uint8Array;
  addDummyPrefix?: boolean;
  removeExtraWhitespaces?: boolean;
}

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const number = (field: number, value: number): number[] => [...varint(field * 8), ...varint(value)];
const bytes = (field: number, value: ArrayLike<number>): number[] => [
  ...varint(field * 8 + 2),
  ...varint(value.length),
  ...Array.from(value),
];
const float = (field: number, value: number): number[] => [
  ...varint(field * 8 + 5),
  ...new Uint8Array(Float32Array.of(value).buffer),
];
const flag = (field: number, value: boolean | undefined): number[] =>
  value === undefined ? [] : number(field, Number(value));

export function modelBytes(spec: ModelSpec): Uint8Array {
  const utf8 = new TextEncoder();
  const pieces = spec.pieces.flatMap(({ text, score = 0, type = PieceType.NORMAL }) =>
    bytes(1, [...bytes(1, utf8.encode(text)), ...float(2, score), ...number(3, type)]),
  );
  const trainer = [...number(3, spec.modelType ?? 1), ...flag(35, spec.byteFallback)];
  const normaliser = [
    ...bytes(1, utf8.encode('test')),
    ...(spec.charsmap ? bytes(2, spec.charsmap) : []),
    ...flag(3, spec.addDummyPrefix),
    ...flag(4, spec.removeExtraWhitespaces),
  ];
  return Uint8Array.from([...pieces, ...bytes(2, trainer), ...bytes(3, normaliser)]);
}

/** `<unk> <s> </s> <pad>`, as PersonaPlex numbers them, and the 256 bytes. */
export const marks = [
  { text: '<unk>', type: PieceType.UNKNOWN },
  { text: '<s>', type: PieceType.CONTROL },
  { text: '</s>', type: PieceType.CONTROL },
  { text: '<pad>', type: PieceType.CONTROL },
];
export const bytePieces = Array.from({ length: 256 }, (_, byte) => ({
  text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  type: PieceType.BYTE,
}));

/** A precompiled table of replacements: the double array that charsmap.ts reads, built the plain way. */
export function charsmap(replacements: Record<string, string>): Uint8Array {
  const utf8 = new TextEncoder();
  type Node = { children: Map<number, Node>; value?: number };
  const root: Node = { children: new Map() };
  const blob: number[] = [];
  for (const [from, to] of Object.entries(replacements)) {
    let node = root;
    for (const byte of utf8.encode(from)) {
      if (!node.children.has(byte)) node.children.set(byte, { children: new Map() });
      node = node.children.get(byte)!;
    }
    node.value = blob.length;
    blob.push(...utf8.encode(to), 0);
  }
  const units: number[] = [0];
  const taken = new Set([0]);
  const place = (node: Node, at: number): void => {
    const labels = [...(node.value === undefined ? [] : [0]), ...node.children.keys()];
    let offset = 1;
    while (labels.some((label) => taken.has(at ^ offset ^ label))) offset++;
    units[at] = ((units[at] ?? 0) | (offset << 10) | (node.value === undefined ? 0 : 0x100)) >>> 0;
    const base = at ^ offset;
    for (const label of labels) taken.add(base ^ label);
    if (node.value !== undefined) units[base] = (node.value | 0x80000000) >>> 0;
    for (const [byte, child] of node.children) {
      units[base ^ byte] = byte;
      place(child, base ^ byte);
    }
  };
  place(root, 0);
  const out = new Uint8Array(4 + 4 * units.length + blob.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, 4 * units.length, true);
  for (let i = 0; i < units.length; i++) view.setUint32(4 + 4 * i, units[i] ?? 0, true);
  out.set(blob, 4 + 4 * units.length);
  return out;
}

interface Oracle {
  encodeIds(text: string): ArrayLike<number>;
  decodeIds(ids: readonly number[]): string;
}

/** SentencePiece itself, compiled to WebAssembly. */
export async function oracle(model: Uint8Array): Promise<Oracle> {
  const folder = mkdtempSync(path.join(tmpdir(), 'npc-spm-'));
  const file = path.join(folder, 'a.model');
  writeFileSync(file, model);
  const { SentencePieceProcessor } = createRequire(import.meta.url)('@agnai/sentencepiece-js');
  const processor = new SentencePieceProcessor();
  await processor.load(file);
  rmSync(folder, { recursive: true });
  return processor;
}
