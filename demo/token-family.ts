import type { SessionRevoked } from 'jwt-allauth';

/** Happenings that are kept of a session; older ones go. */
const LONGEST_STORY = 200;

export type Holder = 'owner' | 'thief';

/** One line of the story of a session. Tokens are named by the first letters of their `jti`. */
export type Happening =
  | { readonly kind: 'opened'; readonly received: string }
  | { readonly kind: 'copied'; readonly presented: string }
  /** The token was used up, and this is its successor. */
  | { readonly kind: 'rotated'; readonly by: Holder; readonly presented: string; readonly received: string }
  /** The successor that there was already, once more. */
  | { readonly kind: 'grace'; readonly by: Holder; readonly presented: string; readonly received: string }
  /** `isProof`: this request ended the session. */
  | { readonly kind: 'refused'; readonly by: Holder; readonly presented: string; readonly isProof: boolean }
  | { readonly kind: 'ended'; readonly reason: SessionRevoked['reason'] };

/** The name of a token, by which nobody can use it. */
export const shortOf = (jti: string) => jti.slice(0, 8);

/**
 * All refresh tokens of one session, by what was seen of them. It holds no token but the thief's copy, and shows none.
 */
export class TokenFamily {
  /** Private at run time as well: what the answers of this demo are made of must never see a token. */
  #loot: string | undefined;
  #owner: string | undefined;
  #thief: string | undefined;
  #happenings: Happening[] = [];
  #rotatedAt = 0;
  #end: SessionRevoked['reason'] | undefined;
  #isProven = false;

  readonly #graceSeconds: number;

  constructor(graceSeconds: number) {
    this.#graceSeconds = graceSeconds;
  }

  opened(received: string): void {
    this.#owner = received;
    this.#add({ kind: 'opened', received });
  }

  /** `name=value` of the cookie that the thief has. */
  get loot(): string | undefined {
    return this.#loot;
  }

  /** The thief keeps what came back. */
  keep(loot: string): void {
    this.#loot = loot;
  }

  /** The thief keeps a copy of what the owner has. */
  copied(presented: string, loot: string): void {
    this.#know(presented);
    this.#loot = loot;
    this.#owner = this.#thief = presented;
    this.#add({ kind: 'copied', presented });
  }

  /** Somebody got a token for the one presented. */
  refreshed(by: Holder, presented: string, received: string): void {
    this.#know(presented);
    const kind = this.#isKnown(received) ? 'grace' : 'rotated';
    if (kind === 'rotated') this.#rotatedAt = Date.now();
    if (by === 'owner') this.#owner = received;
    else this.#thief = received;
    this.#add({ kind, by, presented, received });
  }

  refused(by: Holder, presented: string): void {
    this.#know(presented);
    const isProof = this.#end === 'replay' && !this.#isProven;
    this.#isProven ||= isProof;
    this.#add({ kind: 'refused', by, presented, isProof });
    // The end is told before the request is answered that brought it about.
    if (isProof) this.#happenings.push(...this.#happenings.splice(-2, 1));
  }

  ended(reason: SessionRevoked['reason']): void {
    this.#end ??= reason;
    this.#add({ kind: 'ended', reason });
  }

  /** All that may be told of it. */
  story() {
    const graceEnd = this.#rotatedAt + this.#graceSeconds * 1000;
    return {
      owner: this.#owner,
      thief: this.#thief,
      /** Milliseconds for which the parent of the live token still gets the same successor. */
      graceLeft: Math.max(0, graceEnd - Date.now()),
      happenings: this.#happenings,
    };
  }

  #isKnown(token: string): boolean {
    return this.#happenings.some((each) => 'received' in each && each.received === token);
  }

  /** A family that was not seen from its beginning begins with the first token that is. */
  #know(token: string): void {
    if (this.#happenings.length === 0) this.opened(token);
  }

  #add(happening: Happening): void {
    this.#happenings = [...this.#happenings, happening].slice(-LONGEST_STORY);
  }
}
