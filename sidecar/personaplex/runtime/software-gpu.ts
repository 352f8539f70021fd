/** A GPU in software, for machines without one: what proves the WebGPU path in CI. Far too slow to talk with. */
import { existsSync, mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** SwiftShader, as Debian's chromium package brings it. */
const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const DEVICES = ['/dev/dri/renderD128', '/dev/nvidia0', '/dev/dxg'];

/**
 * Points Vulkan at the software driver where there is one, no GPU, and no driver named already. Before the process
 * first opens a WebGPU session.
 * @returns the driver's path, or null when nothing was changed
 */
export function useSoftwareGpu(): string | null {
  const isNamed = process.env.VK_ICD_FILENAMES !== undefined || process.env.VK_DRIVER_FILES !== undefined;
  if (process.platform !== 'linux' || isNamed || DEVICES.some(existsSync) || !existsSync(DRIVER)) return null;
  process.env.VK_ICD_FILENAMES = DRIVER;
  if (!process.env.XDG_RUNTIME_DIR) {
    // Vulkan's loader only looks for its settings here, but will not start without the folder.
    const folder = path.join(os.tmpdir(), `npc-voice-xdg-${process.getuid?.() ?? 0}`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    process.env.XDG_RUNTIME_DIR = folder;
  }
  return DRIVER;
}
