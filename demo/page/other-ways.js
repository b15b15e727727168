import { AuthError } from '/client/index.js';
import { byId, createElement, setText } from './dom.js';
import { onSubmit, showErrors } from './field-errors.js';
import { onPress, showOutcome } from './outcome.js';

/** @typedef {import('./request.js').Client} Client */

/** What a provider's answer can end with, in words. @type {Readonly<Record<string, string>>} */
const REFUSALS = {
  provider_refused: 'The provider did not confirm who you are, or you have cancelled.',
  provider_unavailable: 'The provider does not answer right now.',
  provider_email_not_verified: 'The provider has not verified your address, so it makes no account here.',
  provider_already_connected: 'This account of the provider, or another one of it, is connected already.',
  email_already_registered:
    'Somebody has an account with this address, which is not confirmed. Sign in to it, then connect the provider.',
  email_not_verified: 'Confirm your address first: a mail is on its way.',
  no_active_account: 'This account is not active.',
};

/** The sign-in with a provider, and by mail. */
export class OtherWays {
  #outcome = byId('account-outcome');
  #ask = byId('mail-sign-in', HTMLFormElement);
  #answer = byId('mail-code', HTMLFormElement);
  /** Binds the code to this page. */
  #request = '';

  /**
   * @param {Client} client
   * @param {import('./account-panel.js').AccountPanel} account
   * @param {{ readonly publicUrl?: string }} settings
   */
  constructor(client, account, { publicUrl }) {
    this.account = account;
    byId('other-ways').hidden = publicUrl === undefined;
    onSubmit(this.#ask, this.#outcome, async ({ email = '' }) => {
      ({ request: this.#request } = await client.magicLink(email));
      this.#show(true);
      showOutcome(this.#outcome, 'A mail with a link and a code is on its way, if this address can get one.');
      byId('mail-code-code').focus();
    });
    onSubmit(this.#answer, this.#outcome, async ({ code = '' }) => {
      try {
        await client.signInByCode({ request: this.#request, code: code.replace(/\s/g, '') });
        this.#show(false);
        showOutcome(this.#outcome, 'You are signed in.');
      } catch (error) {
        if (!(error instanceof AuthError) || !error.challenge) return showErrors(this.#answer, this.#outcome, error);
        this.#show(false);
        await account.open(error);
      }
    });
    byId('mail-code-cancel', HTMLButtonElement).addEventListener('click', () => this.#show(false));
  }

  /**
   * Adds a button for each provider.
   *
   * @param {Client} client
   * @param {readonly { readonly id: string, readonly name: string }[]} providers
   * @param {string | undefined} publicUrl the providers send the browser there. Without it there are no providers
   */
  addProviders(client, providers, publicUrl) {
    if (providers.length === 0 || publicUrl === undefined) return;
    if (new URL(publicUrl).origin !== location.origin) {
      setText(byId('provider-buttons'), `To sign in with a provider, open this page at ${publicUrl}.`);
      return;
    }
    for (const { id, name } of providers) {
      const button = createElement('button', { type: 'button' }, `Sign in with ${name}`);
      onPress(button, this.#outcome, async () => {
        client.signInWith(id);
        return '';
      });
      byId('provider-buttons').append(button);
    }
  }

  /** Shows how a provider's answer has ended. @param {unknown} error */
  async showRefusal(error) {
    if (error instanceof AuthError && error.challenge) return this.account.open(error);
    const words = error instanceof AuthError && REFUSALS[error.code];
    showOutcome(this.#outcome, words ? new AuthError(error.code, error.status, words) : error);
  }

  /** @param {boolean} isCodeExpected */
  #show(isCodeExpected) {
    this.#ask.hidden = isCodeExpected;
    this.#answer.hidden = !isCodeExpected;
    for (const form of [this.#ask, this.#answer]) form.reset();
    if (!isCodeExpected) this.#request = '';
  }
}
