/** Where imported models live. */
import { homedir } from 'node:os';
import path from 'node:path';

/**
 * The folder of models: `NPC_VOICE_MODELS` when set, else the platform's place for an application's data.
 * @param env environment variables
 */
export function modelsFolder(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (env.NPC_VOICE_MODELS) return path.resolve(env.NPC_VOICE_MODELS);
  const data =
    platform === 'win32'
      ? (env.LOCALAPPDATA ?? path.join(home, 'AppData', 'Local'))
      : platform === 'darwin'
        ? path.join(home, 'Library', 'Application Support')
        : env.XDG_DATA_HOME || path.join(home, '.local', 'share');
  return path.join(data, 'npc-voice', 'models');
}
