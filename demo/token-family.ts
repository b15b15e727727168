import type { SessionRevoked } from 'jwt-allauth';

/** Maximum number of events per session; older ones are removed. */
const MAX_EVENTS = 200;

export type Holder = 'owner' | 'thief';

/** An event of a session. Tokens are named by the first characters of their `jti`. */
export type FamilyEvent =
  | { readonly kind: 'opened'; readonly received: string }
  | { readonly kind: 'copied'; readonly presented: string }
  /** The token was used, and `received` is its successor. */
  | { readonly kind: 'rotated'; readonly by: Holder; readonly presented: string; readonly received: string }
  /** The existing successor was returned again. */
  | { readonly kind: 'grace'; readonly by: Holder; readonly presented: string; readonly received: string }
  /** The request had no proof by the key of the session. The session goes on. */
  | { readonly kind: 'no-key'; readonly by: Holder; readonly presented: string }
  /** `isProof`: this request caused the end of the session. */
  | { readonly kind: 'refused'; readonly by: Holder; readonly presented: string; readonly isProof: boolean }
  | { readonly kind: 'ended'; readonly reason: SessionRevoked['reason'] };

/** The short name of a token, which cannot be used as a token. */
export const shortIdOf = (jti: string) => jti.slice(0, 8);

/** The known history of one session's refresh tokens. It stores no token except the thief's copy, and returns none. */
export class TokenFamily {
  /** Private at run time as well: the answers of this demo must never contain a token. */
  #stolen: string | undefined;
  #owner: string | undefined;
  #thief: string | undefined;
  #events: FamilyEvent[] = [];
  #rotatedAt = 0;
  #end: SessionRevoked['reason'] | undefined;
  #isProven = false;

  /** Whether the session is bound to a key of the owner. */
  isBound = false;

  readonly #graceSeconds: number;

  constructor(graceSeconds: number) {
    this.#graceSeconds = graceSeconds;
  }

  recordOpening(received: string): void {
    this.#owner = received;
    this.#add({ kind: 'opened', received });
  }

  /** The cookie that the thief has, as `name=value`. */
  get stolen(): string | undefined {
    return this.#stolen;
  }

  /** Stores the new token of the thief. */
  keepStolen(stolen: string): void {
    this.#stolen = stolen;
  }

  /** Records that the thief copied the owner's token. */
  recordCopy(presented: string, stolen: string): void {
    this.#ensureStart(presented);
    this.#stolen = stolen;
    this.#owner = this.#thief = presented;
    this.#add({ kind: 'copied', presented });
  }

  /** Records that a presented token was exchanged for another. */
  recordRefresh(by: Holder, presented: string, received: string): void {
    this.#ensureStart(presented);
    const kind = this.#isKnown(received) ? 'grace' : 'rotated';
    if (kind === 'rotated') this.#rotatedAt = Date.now();
    if (by === 'owner') this.#owner = received;
    else this.#thief = received;
    this.#add({ kind, by, presented, received });
  }

  recordRefusal(by: Holder, presented: string): void {
    this.#ensureStart(presented);
    const isProof = this.#end === 'replay' && !this.#isProven;
    this.#isProven ||= isProof;
    this.#add({ kind: 'refused', by, presented, isProof });
    // The end is recorded before the answer that caused it; this moves it behind.
    if (isProof) this.#events.push(...this.#events.splice(-2, 1));
  }

  recordNoKey(by: Holder, presented: string): void {
    this.#ensureStart(presented);
    this.#add({ kind: 'no-key', by, presented });
  }

  recordEnd(reason: SessionRevoked['reason']): void {
    this.#end ??= reason;
    this.#add({ kind: 'ended', reason });
  }

  /** The history as it is sent to the page. */
  history() {
    const graceEnd = this.#rotatedAt + this.#graceSeconds * 1000;
    return {
      isBound: this.isBound,
      owner: this.#owner,
      thief: this.#thief,
      /** Milliseconds until the parent of the live token no longer gets the same successor. */
      graceLeft: Math.max(0, graceEnd - Date.now()),
      events: this.#events,
    };
  }

  #isKnown(token: string): boolean {
    return this.#events.some((each) => 'received' in each && each.received === token);
  }

  /** If the start of the session was not recorded, the first known token counts as its start. */
  #ensureStart(token: string): void {
    if (this.#events.length === 0) this.recordOpening(token);
  }

  #add(event: FamilyEvent): void {
    this.#events = [...this.#events, event].slice(-MAX_EVENTS);
  }
}
