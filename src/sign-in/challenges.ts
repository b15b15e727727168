import type { KeyObject } from 'node:crypto';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import { keyedHash } from '../secrets/keyed-hash.js';
import { createRandomKey, hashOfRandomKey, isRandomKey } from '../secrets/random-key.js';
import type { SessionOwner } from '../sessions/session-store.js';
import type { Settings } from '../settings/settings.js';
import { normalizeBoundClaims } from '../tokens/bound-claims.js';
import type { CustomClaims } from '../tokens/claims.js';
import type { UserId } from '../users/base-user.entity.js';
import type { PasswordOwner, UserService } from '../users/user.service.js';
import { CHALLENGE_ENTITY } from './challenge.entity.js';
import { secondFactorRequired } from './challenge.js';
import type { SignInAttempt } from './sign-in-attempt.js';
import type { CompletionOrder } from './sign-in-completion.js';
import { VerifiedAddressGate } from './verified-address-gate.js';

/** Lifetime of a challenge. */
const LIFETIME_SECONDS = 300;

/** Maximum number of wrong answers to one challenge. */
const MAX_ATTEMPTS = 5;

/** A sign-in that waits for a second factor. */
export interface FoundChallenge {
  /** The current state of its user. */
  readonly user: PasswordOwner;
  readonly methods: readonly string[];
  /** How the user has authenticated so far. */
  readonly amr: readonly string[];
  /** Claims to bind to the session. */
  readonly claims: CustomClaims;
  /** Work of a module that is done when the challenge is answered. */
  readonly completion?: CompletionOrder;
}

interface ChallengeRow extends Omit<FoundChallenge, 'user' | 'claims' | 'completion'> {
  readonly user: UserId;
  readonly claims: CustomClaims | null;
  readonly completion: CompletionOrder | null;
  readonly credentialEpoch: number;
  readonly credentials: string;
}

/**
 * Stores the challenges of sign-ins that wait for a second factor. All servers share them. A challenge ends with its
 * success, after five wrong answers, after five minutes, and when the user's password, second factors, address or
 * activity have changed.
 */
export class Challenges {
  readonly #sql: ReturnType<typeof statements>;
  /** Makes the keyed hashes of credentials. */
  readonly #key: KeyObject;
  readonly #verifiedAddress: VerifiedAddressGate;

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly users: UserService;
      readonly clock: Clock;
      readonly encryption: EncryptionKeys;
      readonly settings: Settings;
    },
  ) {
    this.#verifiedAddress = new VerifiedAddressGate(kernel.settings);
    this.#sql = statements(Table.named(kernel.orm, CHALLENGE_ENTITY), kernel.users.table);
    this.#key = kernel.encryption.hashKey('challenges');
  }

  /**
   * Stores a challenge in the transaction of the attempt.
   *
   * @returns the error that asks for the second factor
   * @throws email_not_verified if the answer would be refused with it; incorrect_credentials if the user was deleted
   * meanwhile
   */
  async issue(attempt: SignInAttempt, owner: SessionOwner, methods: readonly string[]): Promise<JwtAllauthError> {
    const { user, amr, claims, completion, em } = attempt;
    // A password change needs no confirmed address, but the answer to its challenge is a sign-in, which does.
    await this.#verifiedAddress.check({ ...attempt, caller: undefined });
    const challenge = createRandomKey();
    const account = await this.kernel.users.findById(user.id, em);
    // What the attempt has checked counts, even if it has changed meanwhile: then the challenge is invalid at once.
    const passwordHash = user.passwordHash === undefined ? account?.passwordHash : user.passwordHash;
    const credentials = this.#hash({ email: account?.email ?? '', passwordHash });
    const bound = normalizeBoundClaims(claims);
    const stored = await this.kernel.database.query(
      this.#sql.insert,
      [
        hashOfRandomKey(challenge),
        user.id,
        user.credentialEpoch ?? owner.credentialEpoch,
        credentials,
        methods,
        amr,
        Object.keys(bound).length > 0 ? JSON.stringify(bound) : null,
        new Date(this.kernel.clock.now() + LIFETIME_SECONDS * 1000),
        completion ? JSON.stringify(completion) : null,
      ],
      em,
    );
    if (stored.length === 0) throw authError('incorrect_credentials');
    return secondFactorRequired({ challenge, methods, expires_in: LIFETIME_SECONDS });
  }

  /** Finds a valid challenge. Does not use it up. @throws challenge_not_valid */
  async find(challenge: string, em?: EntityManager): Promise<FoundChallenge> {
    return this.#read(this.#sql.find, challenge, em);
  }

  /**
   * Runs the check of an answer if the challenge allows another one. The attempt is counted first, so that parallel
   * guesses are all counted. It is subtracted again if `check` fails for another reason than a wrong answer.
   *
   * @param isWrong whether an error of `check` means that the answer was wrong
   * @throws challenge_not_valid, and what `check` throws
   */
  async attempt<T>(challenge: string, check: () => Promise<T>, isWrong: (error: unknown) => boolean): Promise<T> {
    const hash = hashOfRandomKey(challenge);
    const counted = await this.kernel.database.query(this.#sql.count, [hash, new Date(this.kernel.clock.now())]);
    if (counted.length === 0) throw authError('challenge_not_valid');
    try {
      return await check();
    } catch (error) {
      if (!isWrong(error)) await this.kernel.database.query(this.#sql.release, [hash]).catch(() => {});
      throw error;
    }
  }

  /**
   * Uses a challenge up, in the transaction of `em`, which must hold a lock on the user's row. Of two parallel calls,
   * one gets it.
   *
   * @throws challenge_not_valid
   */
  async claim(challenge: string, em: EntityManager): Promise<FoundChallenge> {
    return this.#read(this.#sql.claim, challenge, em);
  }

  async #read(sql: string, challenge: string, em?: EntityManager): Promise<FoundChallenge> {
    if (!isRandomKey(challenge)) throw authError('challenge_not_valid');
    const parameters = [hashOfRandomKey(challenge), new Date(this.kernel.clock.now())];
    const [row] = await this.kernel.database.query<ChallengeRow>(sql, parameters, em);
    const user = row && (await this.kernel.users.findById(row.user, em));
    if (!row || !user?.isActive || !this.#isCurrent(row, user)) throw authError('challenge_not_valid');
    const { methods, amr, claims, completion } = row;
    return { user, methods, amr, claims: claims ?? {}, completion: completion ?? undefined };
  }

  /** Whether the credentials are still those that the sign-in has read. */
  #isCurrent({ credentialEpoch, credentials }: ChallengeRow, user: PasswordOwner): boolean {
    return credentialEpoch === user.credentialEpoch && credentials === this.#hash(user);
  }

  #hash({ email, passwordHash }: Pick<PasswordOwner, 'email' | 'passwordHash'>): string {
    return keyedHash(this.#key, [email, passwordHash ?? null]);
  }
}

function statements(challenge: Table, user: Table) {
  const c = {
    hash: challenge.column('hash'),
    user: challenge.column('user'),
    credentialEpoch: challenge.column('credentialEpoch'),
    credentials: challenge.column('credentials'),
    methods: challenge.column('methods'),
    amr: challenge.column('amr'),
    claims: challenge.column('claims'),
    completion: challenge.column('completion'),
    attempts: challenge.column('attempts'),
    expiresAt: challenge.column('expiresAt'),
  };
  const read = `c.${c.user} as "user", c.${c.credentialEpoch} as "credentialEpoch", c.${c.credentials} as "credentials",
      c.${c.methods} as "methods", c.${c.amr} as "amr", c.${c.claims} as "claims",
      c.${c.completion} as "completion"`;
  return {
    insert: `
      insert into ${challenge.name} (${c.hash}, ${c.user}, ${c.credentialEpoch}, ${c.credentials}, ${c.methods},
        ${c.amr}, ${c.claims}, ${c.attempts}, ${c.expiresAt}, ${c.completion})
      select $1, u.${user.column('id')}, $3::int, $4, $5::text[], $6::text[], $7::jsonb, 0, $8::timestamptz, $9::jsonb
      from ${user.name} u where u.${user.column('id')} = $2 for no key update
      returning 1`,
    find: `
      select ${read} from ${challenge.name} c
      where c.${c.hash} = $1 and c.${c.expiresAt} > $2 and c.${c.attempts} < ${MAX_ATTEMPTS}`,
    count: `
      update ${challenge.name} set ${c.attempts} = ${c.attempts} + 1
      where ${c.hash} = $1 and ${c.expiresAt} > $2 and ${c.attempts} < ${MAX_ATTEMPTS} returning 1`,
    release: `update ${challenge.name} set ${c.attempts} = ${c.attempts} - 1 where ${c.hash} = $1`,
    claim: `delete from ${challenge.name} c where c.${c.hash} = $1 and c.${c.expiresAt} > $2 returning ${read}`,
  };
}
