/**
 * The model host's process: answers what comes over its channel, and ends with its parent, so that no orphan keeps a
 * GPU's memory.
 */
import { asNpcVoiceError } from '../../errors';
import { ModelHost } from './host';
import type { Ask, HostReply, HostRequest } from './messages';

let host: ModelHost | undefined;

async function answer({ id, call, ask }: HostRequest): Promise<HostReply> {
  try {
    if (call === 'load') {
      const opened = await ModelHost.load(ask as HostRequest<'load'>['ask']);
      host = opened.host;
      return { id, answer: opened.loaded };
    }
    return { id, answer: await host!.do(call, ask as Ask<typeof call>) };
  } catch (thrown) {
    const { code, message, hint } = asNpcVoiceError(thrown);
    // A step that failed has left conversations between two frames: only a fresh host can go on with them.
    const fatal = call === 'step' || call === 'swap';
    return { id, failure: { code, message, ...(hint === undefined ? {} : { hint }), fatal } };
  }
}

process.on('message', (request: HostRequest) => void answer(request).then((reply) => process.send?.(reply)));
process.on('disconnect', () => process.exit(0));
// A terminal's interrupt reaches the whole process group; the sidecar says goodbye first.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
