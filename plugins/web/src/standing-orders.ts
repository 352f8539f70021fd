/**
 * What the page has asked for and still wants: told again, in order, to a sidecar it comes back to. The sidecar
 * forgets a connection's scene with the connection.
 */
import type { Request } from './link';

type Kept = Extract<Request, { t: 'configure' | 'hold' | 'mute' | 'set_state' | 'set_hearing' | 'watch' }>;

export class StandingOrders {
  readonly #orders = new Map<string, Kept>();

  /** Remembers what `request` leaves in force; a request that leaves nothing is passed over. */
  note(request: Request): void {
    switch (request.t) {
      case 'configure':
        return this.#merge(`configure ${request.npc}`, request);
      case 'set_state': {
        const key = `state ${request.npc ?? '*'}`;
        const before = this.#orders.get(key);
        const vars = { ...(before?.t === 'set_state' ? before.vars : {}), ...request.vars };
        return this.#put(key, { ...request, vars });
      }
      case 'set_hearing':
        return this.#put(`hearing ${request.npc} ${request.from}`, request);
      case 'hold':
        return this.#put(`hold ${request.npc ?? '*'} ${request.why}`, request);
      case 'release':
        // Released for all: no NPC's own hold for that reason is left.
        for (const [key, order] of this.#orders) {
          if (order.t !== 'hold' || order.why !== request.why) continue;
          if (request.npc === undefined || request.npc === order.npc) this.#orders.delete(key);
        }
        return;
      case 'mute':
        return this.#toggle(`mute ${request.mic ?? ''} ${request.npc ?? ''}`, request);
      case 'watch':
        return this.#toggle(`watch ${request.of ?? '*'}`, request);
      case 'detach':
        return this.#forget((order) => 'npc' in order && order.npc === request.npc);
      case 'close_mic':
        return this.#forget((order) => order.t === 'mute' && order.mic === request.mic);
    }
  }

  [Symbol.iterator](): IterableIterator<Kept> {
    return this.#orders.values();
  }

  #put(key: string, order: Kept): void {
    this.#orders.set(key, order);
  }

  #merge(key: string, order: Kept): void {
    this.#orders.set(key, { ...this.#orders.get(key), ...order });
  }

  #toggle(key: string, order: Kept & { on: boolean }): void {
    if (order.on) this.#orders.set(key, order);
    else this.#orders.delete(key);
  }

  #forget(which: (order: Kept) => boolean): void {
    for (const [key, order] of this.#orders) if (which(order)) this.#orders.delete(key);
  }
}
