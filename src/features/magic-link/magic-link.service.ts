import type { EntityManager } from '@mikro-orm/postgresql';
import { isUniqueViolation } from '../../database/constraint-violation.js';
import { tokenNotValid } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import { isAddressTaken } from '../../mail/email-ownership.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { clientAddress } from '../../sessions/client-network.js';
import { type BegunSignIn, type SignInDecision, tokensOf } from '../../sign-in/begun-sign-in.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { PasswordOwner } from '../../users/user.service.js';
import type { MagicLinkSettings } from './magic-link.settings.js';
import { magicLinkError } from './magic-link-errors.js';
import type { MagicLinkRequests } from './magic-link-requests.js';
import type { MagicLinkStore, MailedSignIn } from './magic-link-store.js';
import { findMailboxOwner } from './mailbox-owner.js';
import type { MailedCodes } from './mailed-codes.js';

/** A mailed code, with the request that it belongs to. */
export interface MailedCode {
  readonly request: string;
  readonly code: string;
}

/** A link that can be used. */
export interface FoundLink extends MailedSignIn {
  readonly key: string;
  /** Seconds until it expires. */
  readonly seconds: number;
}

/** Uses a link or code up, in the transaction that opens the session. False: it is not valid any more. */
type Use = (em: EntityManager) => Promise<boolean>;

const AMR = ['mail'];

/**
 * Signs users in with a link or a code that was mailed to them. Both prove that the user reads the mailbox. So a
 * sign-in confirms the address. If a stranger has signed up with it and never confirmed it, the account now belongs to
 * the owner of the mailbox.
 */
export class MagicLinkService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'accounts'
      | 'emailOwnership'
      | 'sessionEndings'
      | 'mailboxProofs'
      | 'passwordlessSignUps'
      | 'signIn'
      | 'mailLimiter'
      | 'journal'
      | 'clock'
    > & {
      readonly magicLinkRequests: MagicLinkRequests;
      readonly magicLinkStore: MagicLinkStore;
      readonly mailedCodes: MailedCodes;
      readonly magicLinkSettings: MagicLinkSettings;
    },
  ) {}

  /**
   * Mails a link and a code to an address. A new request supersedes the older ones for the address.
   *
   * @returns what the code needs: the browser must keep it. It has the same form for every address
   * @throws too_many_requests, service_unavailable
   */
  async request(email: string, client: SessionClient): Promise<string> {
    return this.kernel.magicLinkRequests.add(email, client);
  }

  /** Finds the first link that can be used, without using it up. @throws too_many_requests */
  async find(keys: readonly string[], { ip }: SessionClient): Promise<FoundLink | undefined> {
    await this.kernel.mailLimiter.countKey(ip);
    for (const key of keys) {
      const found = await this.kernel.magicLinkStore.find(key);
      if (!found) continue;
      const { expiresAt, ...link } = found;
      return { ...link, key, seconds: Math.ceil((expiresAt.getTime() - this.kernel.clock.now()) / 1000) };
    }
    return undefined;
  }

  /**
   * Signs in with a link, which is used up together with its code. A challenge uses it up as well, because the first
   * factor was right.
   *
   * @param found the result of `find`
   * @param options `keepsAtChallenge`: a challenge uses nothing up and changes nothing
   * @throws token_not_valid, second_factor_required, and what a hook or a gate throws: then the link stays usable
   */
  async signInByLink(
    found: FoundLink,
    client: SessionClient,
    { keepsAtChallenge = false }: { readonly keepsAtChallenge?: boolean } = {},
  ): Promise<Tokens> {
    const use: Use = (em) => this.kernel.magicLinkStore.useLink(found.key, em);
    const tokens = await this.#signIn(found, use, { client, keepsAtChallenge });
    if (!tokens) throw tokenNotValid('one-time-key');
    return tokens;
  }

  /**
   * Signs in with a code, which is used up together with its link. Three wrong codes void both.
   *
   * @throws code_not_valid, second_factor_required, and what a hook or a gate throws: then the code stays usable
   */
  async signInByCode(answer: MailedCode, client: SessionClient): Promise<Tokens> {
    const { mailedCodes, magicLinkStore, journal } = this.kernel;
    const tokens = await mailedCodes.attempt(
      answer,
      ({ requestHash, signIn }) =>
        this.#signIn(signIn, (em) => magicLinkStore.useCode(requestHash, em), { client, keepsAtChallenge: false }),
      async ({ user }) => {
        const failure = { user: user === null ? undefined : String(user), ip: clientAddress(client.ip) };
        await journal.record([['magic-link.failed', failure]]);
      },
    );
    if (!tokens) throw magicLinkError('mailed_code_not_valid');
    return tokens;
  }

  /** Undefined: the mail does not work any more. If its address got a user at this moment, it is tried once more. */
  async #signIn(
    link: MailedSignIn,
    use: Use,
    how: { readonly client: SessionClient; readonly keepsAtChallenge: boolean },
    isRetry = false,
  ): Promise<Tokens | undefined> {
    const account = await this.kernel.database.read((em) => findMailboxOwner(this.kernel, link.email, em));
    const begin = await this.#begin(link, account, how.client);
    if (!begin) return undefined;
    try {
      const decision = await this.kernel.database.transaction(async (em) => {
        const decided = await begin(use, em);
        if (decided && how.keepsAtChallenge) tokensOf(decided); // throws the challenge: the transaction is rolled back
        return decided;
      });
      return decision && tokensOf(decision);
    } catch (error) {
      if (account || !(isAddressTaken(error) || isUniqueViolation(error))) throw error;
      if (!isRetry) return this.#signIn(link, use, how, true); // the other user is visible now
      // The app's entity may have other unique columns. Only a taken address makes the mail invalid.
      if (isUniqueViolation(error)) throw error;
      return undefined;
    }
  }

  /** The first half of a sign-in. Its result is the second half, for a transaction. */
  async #begin(link: MailedSignIn, account: PasswordOwner | undefined, client: SessionClient) {
    const { signIn, passwordlessSignUps, magicLinkSettings } = this.kernel;
    if (account && !isSameAccount(link, account)) return undefined;
    if (account) {
      // The mail proves the address.
      const begun = await signIn.begin({ user: { ...account, emailVerified: true }, amr: AMR, client });
      return (use: Use, em: EntityManager) => this.#signInUser(link, account, { begun, use }, em);
    }
    if (link.user !== null || !magicLinkSettings.magicLinkSignUp || !passwordlessSignUps.isOpen) return undefined;
    const begun = await passwordlessSignUps.begin({ email: link.email }, { amr: AMR, client });
    return (use: Use, em: EntityManager) => this.#signUp(link, { begun, use }, em);
  }

  async #signInUser(
    link: MailedSignIn,
    { id }: PasswordOwner,
    { begun, use }: { readonly begun: BegunSignIn; readonly use: Use },
    em: EntityManager,
  ): Promise<SignInDecision | undefined> {
    await this.kernel.sessionEndings.lockUser(id, em);
    const user = await findMailboxOwner(this.kernel, link.email, em);
    if (!user || String(user.id) !== String(id) || !isSameAccount(link, user)) return undefined;
    if (!(await use(em))) return undefined;
    return begun.decide(await this.kernel.mailboxProofs.accept(user, em), em);
  }

  async #signUp(
    { email }: MailedSignIn,
    { begun, use }: { readonly begun: BegunSignIn; readonly use: Use },
    em: EntityManager,
  ): Promise<SignInDecision | undefined> {
    await this.kernel.emailOwnership.lock(email, em); // before the row of the request, as everywhere
    if (!(await use(em))) return undefined;
    return begun.decide(await this.kernel.passwordlessSignUps.create({ email }, 'magic-link', em), em);
  }
}

/** Whether an account is the one for which a mail was written, and its credentials have not changed since. */
function isSameAccount({ user, credentialEpoch }: MailedSignIn, account: PasswordOwner): boolean {
  const isSame = user === null || String(user) === String(account.id);
  return isSame && account.isActive && (account.credentialEpoch ?? 0) === credentialEpoch;
}
