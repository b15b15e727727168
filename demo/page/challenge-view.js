import { AuthError } from '/client/index.js';
import { byId, setText } from './dom.js';
import { ProofForm } from './proof-form.js';
import { TotpSetUp } from './totp-set-up.js';

/** @typedef {import('./request.js').Client} Client */

/** The second step of a sign-in that the server has challenged: a code, or the set-up that every account needs here. */
export class ChallengeView {
  #view = byId('challenge');
  #form = byId('challenge-form', HTMLFormElement);
  #hint = byId('challenge-hint');
  #proof;
  #setUp;
  /** In memory only: with it and a code, anybody can sign in. */
  #challenge = '';

  /**
   * @param {Client} client
   * @param {import('./authenticator.js').DemoAuthenticator} authenticator
   * @param {{ outcome: HTMLElement, update: () => void, signedIn: (words: string) => void,
   *   recoveryCodes: (codes: readonly string[]) => void }} account
   */
  constructor(client, authenticator, account) {
    this.account = account;
    this.#proof = new ProofForm(this.#form, account.outcome, authenticator, {
      send: async (proof) => {
        const code = /** @type {{ code: string }} */ (proof);
        await this.#orEnd(client.mfa.verify({ challenge: this.#challenge, ...code }));
        const { recoveryCodesLeft } = 'recoveryCode' in proof ? await client.mfa.status() : {};
        const left = recoveryCodesLeft === undefined ? '' : ` ${recoveryCodesLeft} recovery codes are left.`;
        account.signedIn(`You are signed in with two factors.${left}`);
      },
      usePasskey: async () => {
        await this.#orEnd(client.passkeys.answer(this.#challenge));
        return 'You are signed in with two factors.';
      },
    });
    this.#setUp = new TotpSetUp(
      byId('challenge-set-up'),
      account.outcome,
      { client, authenticator },
      {
        cancelled: () => this.end(),
        confirmed: (codes) => {
          account.signedIn('You are signed in with two factors. Your recovery codes are below.');
          account.recoveryCodes(codes);
        },
      },
    );
    byId('challenge-cancel', HTMLButtonElement).addEventListener('click', () => this.end());
  }

  /** Whether the user has to answer a challenge. */
  get isOpen() {
    return this.#challenge !== '';
  }

  /**
   * Shows the second step.
   *
   * @param {AuthError} error with a challenge
   */
  async open({ challenge = '', methods = [], expiresIn = 0 }) {
    const isSetUp = methods.includes('totp_setup');
    if (isSetUp) await this.#setUp.start(challenge);
    this.#challenge = challenge;
    this.#form.hidden = isSetUp;
    const what = isSetUp ? 'Every account here needs a second factor.' : 'The first step is done.';
    setText(this.#hint, `${what} You are not signed in yet. Finish within ${Math.round(expiresIn / 60)} minutes.`);
    this.account.update();
    if (!isSetUp) this.#proof.ask(methods);
  }

  /** Shows the view in place of the other forms. @param {boolean} isSignedOut */
  update(isSignedOut) {
    if (!isSignedOut) this.#forget();
    this.#view.hidden = !this.isOpen;
  }

  /** Goes back to the first step. */
  end() {
    this.#forget();
    this.account.update();
    byId('sign-in-email').focus();
  }

  #forget() {
    if (!this.isOpen) return;
    this.#challenge = '';
    this.#proof.clear();
    this.#setUp.clear();
  }

  /** @param {Promise<unknown>} answer */
  async #orEnd(answer) {
    try {
      await answer;
    } catch (error) {
      if (error instanceof AuthError && error.code === 'challenge_not_valid') this.end();
      throw error;
    }
  }
}
