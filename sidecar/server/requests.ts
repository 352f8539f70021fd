/** What a client may ask of its scene, and the results each request is answered with. */
import type { DuplexModelInfo } from '../duplex';
import type { PersonaLibrary, Problem } from '../personas';
import type { ClientRequest, PersonaProblem, Results } from '../wire';
import { round } from './rate';
import type { Session } from './session';

type Request<T extends ClientRequest['t']> = Extract<ClientRequest, { t: T }>;
type Result<T extends ClientRequest['t']> = T extends keyof Results ? Results[T] : void;
export interface ModelState {
  /** As it is now: capacity is known once the model has started. */
  readonly info: DuplexModelInfo;
  /** Rejects with NpcVoiceError `model_unavailable` when the duplex model did not start. */
  ready: Promise<void>;
  isReady(): boolean;
}
export interface RequestContext {
  session: Session;
  library: PersonaLibrary;
  model: ModelState;
}
type Handlers = {
  readonly [T in Exclude<ClientRequest['t'], 'identify'>]: (
    request: Request<T>,
    context: RequestContext,
  ) => Result<T> | Promise<Result<T>>;
};

const onTheWire = ({
  severity,
  code,
  message,
  hint,
  line,
  column,
  endLine,
  endColumn,
  source,
}: Problem): PersonaProblem => ({
  severity,
  code,
  msg: message,
  hint,
  line,
  col: column,
  end_line: endLine,
  end_col: endColumn,
  source,
});

const HANDLERS: Handlers = {
  async attach({ npc, persona, greet, seed }, { session, model }) {
    if (!model.isReady()) await model.ready;
    const attached = session.scene.attach(npc, { persona, greet, seed });
    session.hub.changed(session);
    try {
      const status = await attached;
      return {
        npc,
        persona: status.persona,
        name: status.name,
        held: status.held,
        muted: status.muted,
        prime_ms: round(status.primeMs),
      };
    } finally {
      session.hub.changed(session);
    }
  },
  async detach({ npc, farewell }, { session }) {
    await session.scene.detach(npc, { farewell });
    session.forget(npc);
    session.hub.changed(session);
  },
  async configure({ npc, voice, patience_ms, overlap, backchannel, gain }, { session }) {
    const { speed, costMs } = await session.scene.configure(npc, {
      voice,
      patienceMs: patience_ms,
      overlap,
      backchannelsPerMinute: backchannel,
      gain,
    });
    return { speed, cost: round(costMs) };
  },
  open_mic({ mic, codec, rate, ch, primary }, { session }) {
    session.openMic(mic, { codec, rate, channels: ch ?? 1 }, primary);
  },
  close_mic({ mic }, { session }) {
    session.closeMic(mic);
  },
  say({ npc, text, when }, { session }) {
    session.scene.say(npc, text, when ?? 'queue');
  },
  hold({ npc, why, manner }, { session }) {
    session.scene.hold(npc, why, manner ?? 'finish_word');
  },
  release({ npc, why }, { session }) {
    session.scene.release(npc, why);
  },
  interrupt({ npc }, { session }) {
    session.scene.interrupt(npc);
  },
  mute({ mic, npc, on }, { session }) {
    if (mic !== undefined) session.scene.muteMic(mic, on);
    if (npc !== undefined) session.scene.muteNpc(npc, on);
    session.hub.changed(session);
  },
  async set_state({ npc, vars }, { session }) {
    const unused = await session.scene.setState(vars, npc);
    return npc === undefined ? {} : { unused: [...unused] };
  },
  set_hearing({ npc, from, gain, muffle }, { session }) {
    session.scene.setHearing(npc, from, gain, muffle ?? 0);
  },
  get_transcript({ npc }, { session }) {
    return { npcs: session.scene.transcript(npc).map((t) => ({ npc: t.npc, lines: [...t.lines] })) };
  },
  get_stats(_request, { session }) {
    return session.figures();
  },
  watch({ on, of }, { session }) {
    session.hub.watch(session, on, of);
  },
  async read_persona({ persona }, { library }) {
    return { persona, ...(await library.read(persona)) };
  },
  lint_persona({ persona, yaml }, { library }) {
    return { problems: library.lint(persona, yaml).map(onTheWire) };
  },
  write_persona({ persona, yaml, hash }, { library }) {
    return library.write(persona, yaml, hash);
  },
  ping() {},
};

/** Does what was asked. Throws, or rejects with, what the client is to be told. */
export function handle(
  request: Exclude<ClientRequest, { t: 'identify' }>,
  context: RequestContext,
): object | void | Promise<object | void> {
  const handler = HANDLERS[request.t] as (
    r: ClientRequest,
    c: RequestContext,
  ) => object | void | Promise<object | void>;
  return handler(request, context);
}
