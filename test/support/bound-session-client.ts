import type { Proof } from '../../src/dpop/proof.js';
import type { BoundServers, Outcome } from './bound-servers.js';
import { claimsOf } from './race.js';

/** A client of one session: the token that it has stored, and what a thief could have copied from it. */
export class BoundSessionClient {
  readonly tokens: string[];
  readonly proofs: Proof[] = [];
  readonly session: string;

  constructor(
    private readonly servers: BoundServers,
    public stored: string,
    readonly key: string,
  ) {
    this.tokens = [stored];
    this.session = claimsOf(stored).session;
  }

  /** Refreshes. A client that is killed before the answer is stored keeps its token. */
  async refresh(isKilled = false, server = this.servers.first): Promise<Outcome> {
    const proof = this.servers.proofBy(this.key);
    const answer = await this.servers.refresh(this.stored, proof, server);
    this.proofs.push(proof);
    if (typeof answer === 'string') return answer;
    if (!this.tokens.includes(answer.refresh)) this.tokens.push(answer.refresh);
    if (!isKilled) this.stored = answer.refresh;
    return answer;
  }

  async row(): Promise<Record<string, unknown>> {
    const rows = await this.#query('select * from auth_session where id = $1', this.session);
    return rows[0] as Record<string, unknown>;
  }

  /** Goes back to an earlier state, with the row of that time, so that another order can be played from there. */
  async goBack(to: { stored: string; tokens: number; proofs: number; row: Record<string, unknown> }): Promise<void> {
    this.stored = to.stored;
    this.tokens.length = to.tokens;
    this.proofs.length = to.proofs;
    const { jti, previous_jti, rotated_at, previous_rotated_at, expires_at, proofs } = to.row;
    const values = [jti, previous_jti, rotated_at, previous_rotated_at, expires_at, proofs];
    await this.#query(
      `update auth_session set jti = $2, previous_jti = $3, rotated_at = $4, previous_rotated_at = $5, expires_at = $6,
         proofs = $7 where id = $1`,
      this.session,
      ...values,
    );
  }

  get state() {
    return { stored: this.stored, tokens: this.tokens.length, proofs: this.proofs.length };
  }

  async #query(sql: string, ...values: unknown[]): Promise<unknown[]> {
    return (await this.servers.first.app.database.pool.query(sql, values)).rows;
  }
}
