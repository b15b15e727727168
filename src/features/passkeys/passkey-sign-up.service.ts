import { randomBytes } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/server';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { tokensOf } from '../../sign-in/begun-sign-in.js';
import type { PasswordlessPerson } from '../../sign-in/passwordless-sign-ups.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { BaseUser } from '../../users/base-user.entity.js';
import { normalizeEmail } from '../../users/email.js';
import { amrOf } from './passkey-assertions.js';
import type { PasskeyCeremony } from './passkey-challenges.js';
import type { PasskeyCreation } from './passkey-creation.js';
import { passkeyError } from './passkey-errors.js';
import type { PasskeyLimiter } from './passkey-limiter.js';
import type { PasskeyStore } from './passkey-store.js';
import type { VerifiedRegistration } from './passkey-verifier.js';
import { COMPLETION, dataOf } from './pending-passkey.js';

/** A person who signs up with a passkey. */
export type PasskeyPerson = Omit<PasswordlessPerson, 'isProved'>;

/** The result of a sign-up. */
export interface PasskeySignUp {
  /** The tokens of the first session; undefined if the address has to be confirmed first. */
  readonly tokens?: Tokens;
  /** The mark that identifies the browser when it requests another link. Undefined if there are `tokens`. */
  readonly mark?: string;
}

/** A reset of the password removes the passkey: a stranger may have signed up with the address. */
const UNPROVED = { provedEmail: null } as const;

/** Signs up users with a passkey and without a password, under the same rules as a sign-up with a password. */
export class PasskeySignUpService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'emailOwnership'
      | 'passwordlessSignUps'
      | 'unconfirmedSignUps'
      | 'signUpLimiter'
      | 'mailLimiter'
      | 'mails'
      | 'hooks'
      | 'settings'
    > & {
      readonly passkeyStore: PasskeyStore;
      readonly passkeyCreation: PasskeyCreation;
      readonly passkeyLimiter: PasskeyLimiter;
    },
  ) {}

  /**
   * The options of the ceremony. The response is accepted for five minutes, for the same address. They count as options
   * and as a sign-up, and are refused for a taken address if a sign-up would reveal it: the browser then makes no
   * passkey.
   *
   * @throws too_many_requests, email_already_registered
   */
  async options(email: string, client: SessionClient): Promise<PublicKeyCredentialCreationOptionsJSON> {
    const { database, emailOwnership, passkeyCreation, passkeyLimiter, signUpLimiter } = this.kernel;
    await passkeyLimiter.count('options', client); // REGISTRATION_RATE_LIMIT may be off
    await signUpLimiter.count(client);
    const isTaken = !this.#isSecret && (await database.transaction((em) => emailOwnership.isTaken(email, em)));
    if (isTaken) throw authError('email_already_registered');
    const userHandle = randomBytes(32).toString('base64url');
    return passkeyCreation.options({ email: normalizeEmail(email), userHandle, passkeys: [] }, ceremonyOf(email));
  }

  /** Whether a sign-up must not reveal that an address is taken. */
  get #isSecret(): boolean {
    const { emailVerification, preventEnumeration } = this.kernel.settings;
    return emailVerification === 'mandatory' && preventEnumeration;
  }

  /**
   * Creates the user with the passkey and opens the first session, in one transaction. If EMAIL_VERIFICATION is
   * `mandatory`, it stores a pending sign-up instead and mails a link. With PREVENT_ENUMERATION, an address that has an
   * account gets the same answer, and a notice in place of the link.
   *
   * @param credential the JSON of `PublicKeyCredential.toJSON()`. It is checked
   * @throws passkey_not_valid, passkey_already_registered, email_already_registered, field_already_taken,
   * too_many_requests, and errors of hooks
   * @throws second_factor_required if the user was created and a gate requires a second factor
   */
  async signUp(person: PasskeyPerson, credential: unknown, client: SessionClient): Promise<PasskeySignUp> {
    const { database, emailOwnership, hooks, passkeyCreation, passkeyLimiter } = this.kernel;
    const { passwordlessSignUps, settings } = this.kernel;
    await passkeyLimiter.count('sign-up', client);
    const made = await passkeyCreation.verify(credential, ceremonyOf(person.email));
    // Hooks must not run for a response that was used before, and must run without a lock.
    if (hooks.beforeSignUp || hooks.beforeSignIn) await database.rehearse((em) => passkeyCreation.use(made, em));
    if (settings.emailVerification === 'mandatory') return this.#addPending(person, made, client);
    const newUser = { ...person, isProved: false };
    const begun = await passwordlessSignUps.begin(newUser, { amr: amrOf(made.passkey), client });
    await this.#countMail(person.email, client);
    const create = () =>
      database.transaction(async (em) => begun.decide(await this.#create(newUser, made, client, em), em));
    const { email, firstName, lastName, fields } = person;
    return { tokens: tokensOf(await emailOwnership.insert(email, { firstName, lastName, ...fields }, create)) };
  }

  /** Stores a pending sign-up. Its link adds the passkey to the new user. */
  async #addPending(person: PasskeyPerson, made: VerifiedRegistration, client: SessionClient): Promise<PasskeySignUp> {
    const { passkeyCreation, passkeyStore, passwordlessSignUps, unconfirmedSignUps } = this.kernel;
    const { email, firstName, lastName, fields: added } = person;
    if (await passkeyStore.find(made.passkey.credentialId)) throw passkeyError('passkey_already_registered');
    await passwordlessSignUps.callHook(person, client);
    await this.#countMail(email, client);
    const completion = { name: COMPLETION, data: dataOf(passkeyCreation.newPasskey(made, { client, ...UNPROVED })) };
    const signUp = { email, passwordHash: null, fields: { firstName, lastName, added }, completion };
    return { mark: await unconfirmedSignUps.add(signUp, client, (em) => passkeyCreation.use(made, em)) };
  }

  async #create(
    newUser: PasswordlessPerson,
    made: VerifiedRegistration,
    client: SessionClient,
    em: EntityManager,
  ): Promise<BaseUser> {
    const { mails, passkeyCreation, passwordlessSignUps, settings } = this.kernel;
    const user = await passwordlessSignUps.create(newUser, 'passkey', em);
    await passkeyCreation.add(user.id, { made, client, ...UNPROVED }, em);
    if (settings.emailVerification === 'optional')
      await mails.sendLink('email-verification', user.id, user.email, em, client);
    return user;
  }

  async #countMail(email: string, client: SessionClient): Promise<void> {
    const { mailLimiter, settings } = this.kernel;
    if (settings.emailVerification === 'none') return;
    await mailLimiter.countMail('registration', email, client, { isNetworkFirst: true });
  }
}

function ceremonyOf(email: string): PasskeyCeremony {
  return { purpose: 'sign-up', boundTo: [normalizeEmail(email)] };
}
