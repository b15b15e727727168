import type { JwtAllauth } from '../jwt-allauth.js';
import type { AuthEventMap } from '../observability/auth-events.js';

/** An event with its name. */
export type CollectedEvent = {
  [K in keyof AuthEventMap]: { readonly name: K; readonly event: AuthEventMap[K] };
}[keyof AuthEventMap];

/** Events in the order in which they were emitted. This is an array: set its length to 0 to remove all events. */
export class CollectedEvents extends Array<CollectedEvent> {
  /** Filtering or mapping returns a plain array. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** The events with this name. */
  ofType<K extends keyof AuthEventMap>(name: K): AuthEventMap[K][] {
    return this.filter((collected) => collected.name === name).map(({ event }) => event as AuthEventMap[K]);
  }
}

/** Collects every event of an app from now on. */
export function collectEvents(auth: Pick<JwtAllauth, 'events'>): CollectedEvents {
  const collected = new CollectedEvents();
  auth.events.onAny((name, event) => collected.push({ name, event } as CollectedEvent));
  return collected;
}
