/** The settings of the model's servers, in seconds. */
export const LIMITS = { idle: 14 * 86_400, absolute: 60 * 86_400, grace: 10 } as const;

export type Dpop = 'optional' | 'required' | 'off';

/** A proof by a key. Copies have the same id. */
export interface ModelProof {
  readonly id: number;
  readonly key: string;
}

/** A refresh token that was issued. Instants are in seconds. */
export interface ModelToken {
  readonly iat: number;
  readonly exp: number;
  /** `cnf.jkt` */
  readonly key: string | undefined;
}

/** What the database knows of a session. Tokens are named by their place in `issued`. */
export interface ModelRow {
  readonly live: number;
  readonly previous: number | undefined;
  readonly rotatedAt: number;
  readonly expiresAt: number;
  readonly key: string | undefined;
  readonly proofs: ReadonlySet<number>;
  readonly isEnabled: boolean;
}

/** The rules of bound sessions (contract §15) for one session, without a database, a signature or a race. */
export class BoundSessionModel {
  readonly issued: ModelToken[] = [];
  row: ModelRow;
  readonly #openedAt: number;

  constructor(
    public now: number,
    key: string | undefined,
  ) {
    this.#openedAt = now;
    this.row = { ...this.#issue(key), previous: undefined, key, proofs: new Set(), isEnabled: true };
  }

  /** Whether the session can still be refreshed. */
  get isLive(): boolean {
    return this.row.isEnabled && this.row.expiresAt > this.now;
  }

  /**
   * The outcome of a refresh: the code of an error, or the token in the answer.
   *
   * @param now the clock of the server, which may differ from those of the others
   */
  refresh(place: number, dpop: Dpop, proof: ModelProof | undefined, now = this.now): string | number {
    const token = this.issued[place] as ModelToken;
    if (now >= this.#openedAt + LIMITS.absolute) return this.#end('session_expired');
    if (now >= token.exp) return 'token_not_valid';
    const isIgnored = dpop === 'off' && token.key === undefined;
    const isWrong = token.key === undefined ? dpop === 'required' && !proof : proof?.key !== token.key;
    if (isWrong) return 'dpop_proof_invalid';
    if (!this.row.isEnabled) return 'token_not_valid';
    const isUsed = !this.#isLast(place, token, proof, now);
    const isOfThisKey = this.row.key === undefined || token.key === this.row.key;
    if (isUsed && !isOfThisKey) return this.#end('refresh_token_reused');
    if (this.row.key !== undefined && (proof?.key !== this.row.key || this.row.proofs.has(proof.id)))
      return 'dpop_proof_invalid';
    if (isUsed) return this.#end('refresh_token_reused');
    const at = Math.max(now, this.row.rotatedAt, token.iat); // never back, whatever the clocks say
    if (this.row.expiresAt <= at) return 'token_not_valid';
    const key = this.row.key ?? (isIgnored || place === this.row.previous ? undefined : proof?.key);
    const proofs = key === undefined || !proof ? this.row.proofs : new Set([...this.row.proofs, proof.id]);
    this.row = { ...this.row, key, proofs };
    if (place !== this.row.previous) this.row = { ...this.row, previous: place, ...this.#issue(key, at) };
    return this.row.live;
  }

  /** A sign-out needs no proof, and any token that has not expired. @returns the status of the answer */
  logOut(place: number): number {
    if (this.now >= (this.issued[place] as ModelToken).exp) return 401;
    this.#end('');
    return 204;
  }

  /** Whether it is the live token, its accepted parent, or a token of a rotation that the database has lost. */
  #isLast(place: number, { iat, key }: ModelToken, proof: ModelProof | undefined, now: number): boolean {
    const { row } = this;
    if (row.key !== undefined && key !== undefined && key !== row.key) return false;
    if (place === row.live) return true;
    const hasKey = row.key !== undefined && (key ?? proof?.key) === row.key;
    if (place === row.previous) return hasKey || now - row.rotatedAt <= LIMITS.grace;
    return iat > row.rotatedAt;
  }

  #issue(key: string | undefined, at = this.now): Pick<ModelRow, 'live' | 'rotatedAt' | 'expiresAt'> {
    const expiresAt = Math.min(at + LIMITS.idle, this.#openedAt + LIMITS.absolute);
    const live = this.issued.push({ iat: at, exp: expiresAt, key }) - 1;
    return { live, rotatedAt: at, expiresAt };
  }

  #end(code: string): string {
    this.row = { ...this.row, isEnabled: false };
    return code;
  }
}
