import type { KeyPlace, ProofKey } from './key-place.js';

/** The keys of one client. */
export interface Keys {
  /** The key of the session. */
  readonly current?: ProofKey | undefined;
  /** The key of a sign-in that is not known to have succeeded, or that has not begun. */
  readonly next?: ProofKey | undefined;
  /** Whether access tokens need a proof too (ACCESS_TOKEN_BINDING). */
  readonly isTokenBound?: boolean | undefined;
}

/** Keeps the keys of one client. */
export interface KeyRing {
  /** Creates a key pair, without keeping it. */
  create(): Promise<ProofKey>;
  /** Reads the keys. The result has no keys if they are lost for good. Rejects if a later attempt may succeed. */
  read(): Promise<Keys>;
  /** Replaces the keys by the result of `change`. No other change happens in between. Rejects if it fails. */
  update(change: (keys: Keys) => Keys): Promise<Keys>;
}

/** Whether these are the same key. */
export function isSameKey(one: ProofKey | undefined, other: ProofKey | undefined): boolean {
  const [a, b] = [one?.publicJwk, other?.publicJwk];
  return Boolean(a && b) && (a?.['x'] ?? a?.['n']) === (b?.['x'] ?? b?.['n']);
}

/** Keeps the keys in a place of the app. */
export function keyRingIn(place: KeyPlace): KeyRing {
  let last: Promise<unknown> = Promise.resolve();
  let isTokenBound: boolean | undefined;
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const result = last.then(task, task);
    last = result;
    return result;
  };
  const load = async (): Promise<Keys> => ({
    current: await place.load('current'),
    next: await place.load('next'),
    isTokenBound,
  });
  return {
    create: () => inTurn(() => place.create()),
    read: () => inTurn(load),
    update: (change) =>
      inTurn(async () => {
        const before = await load();
        const keys = change(before);
        isTokenBound = keys.isTokenBound;
        // `current` first, so that the key of a session is in one slot at least if the app is killed in between.
        for (const slot of ['current', 'next'] as const) {
          const key = keys[slot];
          if (!key && before[slot]) await place.remove(slot);
          else if (key && !isSameKey(key, before[slot])) await place.store(slot, key);
        }
        return keys;
      }),
  };
}
