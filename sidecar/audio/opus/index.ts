/**
 * Opus, behind one interface. Encoding is native where the addon was built and WebAssembly otherwise; decoding is
 * always WebAssembly, which alone conceals loss and uses FEC, at about 35 microseconds for 20 ms.
 */
import type { CodecReport, OpusFrameEncoder, OpusStreamDecoder } from './codec';
import { loadNative, takeNativeEncoder } from './native';
import { loadWasm, WasmDecoder, WasmEncoder } from './wasm';

export type { CodecReport, OpusFrameEncoder, OpusStreamDecoder } from './codec';
export { MAX_OPUS_SAMPLES, OpusPacketAssembler, OpusPacketLayout } from './packet';

/** Which Opus libraries answer; for `doctor`. */
export interface OpusReport {
  native: CodecReport;
  wasm: CodecReport;
}

const unloaded: CodecReport = { available: false, why: 'Not loaded yet.' };
let report: OpusReport = { native: unloaded, wasm: unloaded };
let loading: Promise<void> | undefined;

/** Loads the Opus libraries. Await it once before an Opus stream is opened; PCM needs nothing. Never rejects. */
export function initOpus(): Promise<void> {
  loading ??= (async () => {
    report = { native: loadNative(), wasm: await loadWasm() };
  })();
  return loading;
}

export function opusReport(): OpusReport {
  return report;
}

/** The library that encodes. */
export function opusCodecName(): 'native' | 'wasm' {
  return report.native.available ? 'native' : 'wasm';
}

/** @throws NpcVoiceError `unsupported` before initOpus. */
export function createOpusEncoder(library = opusCodecName()): OpusFrameEncoder {
  return library === 'native' ? takeNativeEncoder() : new WasmEncoder();
}

/** @throws NpcVoiceError `unsupported` before initOpus. */
export function createOpusDecoder(): OpusStreamDecoder {
  return new WasmDecoder();
}
