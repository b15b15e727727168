import { AuthError } from '/client/index.js';
import { ChallengeView } from './challenge-view.js';
import { byId, setText } from './dom.js';
import { onSubmit, showErrors } from './field-errors.js';
import { onPress, showOutcome } from './outcome.js';

/** @typedef {import('./request.js').Client} Client */

/** Messages for a sign-out that the user did not request. @type {Readonly<Record<string, string>>} */
const REASONS = {
  refresh_token_reused: 'A used refresh token came back, so there is a copy of it. The server has ended the session.',
  token_not_valid: 'The session has been ended.',
  session_expired: 'The session has reached its longest lifetime.',
  cookie_not_kept: 'The browser did not keep the refresh cookie. Allow cookies for this page, or open the demo by TLS.',
};

/** The forms for sign-up and sign-in, and the buttons for sign-out. */
export class AccountPanel {
  #title = byId('account-title');
  #signedIn = byId('signed-in');
  #signedOut = byId('signed-out');
  #email = byId('account-email');
  #verified = byId('account-verified');
  #outcome = byId('account-outcome');
  #resend = byId('resend', HTMLButtonElement);
  #unconfirmed = '';
  /** The id of the user whose address is on the page. */
  #shown = '';

  #challenge;

  /**
   * @param {Client} client
   * @param {import('./authenticator.js').DemoAuthenticator} authenticator
   * @param {(codes: readonly string[]) => void} recoveryCodes shows them
   */
  constructor(client, authenticator, recoveryCodes) {
    this.client = client;
    this.#challenge = new ChallengeView(client, authenticator, {
      outcome: this.#outcome,
      update: () => this.update(),
      signedIn: (words) => showOutcome(this.#outcome, words),
      recoveryCodes,
    });
    this.#onSubmit('sign-in', async (credentials) => {
      await client.login(credentials);
      return 'You are signed in.';
    });
    this.#onSubmit('sign-up', async (account) => {
      if ((await client.register(account)) === 'signed-in')
        return 'Your account has been created, and you are signed in.';
      this.#offerResend(account.email);
      return 'A mail with a link is on its way: open it, then sign in. In development the demo prints it on its console.';
    });
    onPress(byId('sign-out', HTMLButtonElement), this.#outcome, async () => {
      await client.logout();
      return 'You are signed out.';
    });
    onPress(byId('sign-out-everywhere', HTMLButtonElement), this.#outcome, async () => {
      await client.logoutAll();
      return 'You are signed out on every device.';
    });
    onPress(this.#resend, this.#outcome, async () => {
      await client.resendVerification({ email: this.#unconfirmed });
      return 'If this address has to be confirmed, a new link is on its way.';
    });
  }

  /** Shows whether a user is signed in. */
  update() {
    const { state } = this.client;
    const wasFocusWithin = document.activeElement?.closest('#account') !== null;
    const isChange = this.#signedIn.hidden !== (state.status !== 'signed-in');
    this.#signedIn.hidden = state.status !== 'signed-in';
    this.#challenge.update(state.status === 'signed-out');
    this.#signedOut.hidden = state.status !== 'signed-out' || this.#challenge.isOpen;
    if (state.status === 'signed-in') this.#showUser(state.claims);
    else this.#shown = '';
    if (state.status === 'signed-out' && state.reason) {
      const words = REASONS[state.reason] ?? 'You have been signed out.';
      showOutcome(this.#outcome, new AuthError(state.reason, 401, words));
    } else if (isChange) showOutcome(this.#outcome, '');
    // The focused element is gone, so focus moves to the title of the panel.
    if (isChange && wasFocusWithin) this.#title.focus();
  }

  /** Asks for the second factor. @param {AuthError} error with a challenge */
  open(error) {
    return this.#challenge.open(error);
  }

  /** @param {{ readonly sub: string, readonly email_verified: boolean }} claims */
  #showUser({ sub, email_verified: isVerified }) {
    this.#resend.hidden = true;
    setText(this.#verified, isVerified ? 'address confirmed' : 'address not confirmed');
    if (this.#shown === sub) return;
    this.#shown = sub;
    setText(this.#email, '…');
    this.client.getUser().then(
      ({ id, email }) => this.#shown === id && setText(this.#email, email),
      (error) => showOutcome(this.#outcome, error),
    );
  }

  /** @param {string} email */
  #offerResend(email) {
    this.#unconfirmed = email;
    this.#resend.hidden = false;
  }

  /**
   * @param {string} id
   * @param {(fields: { email: string, password: string }) => Promise<string>} action
   */
  #onSubmit(id, action) {
    const form = byId(id, HTMLFormElement);
    onSubmit(form, this.#outcome, async ({ email = '', password = '' }) => {
      try {
        showOutcome(this.#outcome, await action({ email, password }));
        form.reset();
      } catch (error) {
        if (!(error instanceof AuthError)) throw error;
        if (error.code === 'cookie_not_kept') return; // `update` has shown the reason
        if (error.challenge) {
          form.reset();
          return this.#challenge.open(error);
        }
        showErrors(form, this.#outcome, error);
        if (error.code === 'email_not_verified') this.#offerResend(email);
      }
    });
  }
}
