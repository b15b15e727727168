import { AuthError } from '/client/index.js';
import { byId, setText } from './dom.js';
import { onSubmit } from './field-errors.js';
import { onPress, showOutcome } from './outcome.js';

/** @typedef {import('./request.js').Client} Client */

/** What a sign-in with a passkey can end with, in words. @type {Readonly<Record<string, string>>} */
const REFUSALS = {
  passkey_cancelled: 'No passkey was used: the dialog was closed, or this device has no passkey for this page.',
  passkey_not_valid: 'This passkey does not work here: it was removed, or it is disabled.',
  passkey_already_registered: 'This device has a passkey of your account already.',
};

/** What a sign-up can end with. */
const SIGNED_UP = {
  'signed-in': 'Your account has been created without a password, and you are signed in.',
  'confirmation-mailed': 'A mail with a link is on its way: open it, then sign in with the passkey.',
};

/** An error of a passkey, in words. @param {unknown} error */
export function inWords(error) {
  if (!(error instanceof AuthError)) return error;
  const isNew = error.code === 'passkey_not_valid' && error.status === 400;
  const words = isNew ? 'The passkey could not be added. Try again.' : REFUSALS[error.code];
  return words ? new AuthError(error.code, error.status, words) : error;
}

/** The sign-in with a passkey, by a button and in the autofill of the sign-in form, and the sign-up with one. */
export class PasskeySignIn {
  /** Whether passkeys work on this page: they belong to a domain. */
  canBeUsed;
  #outcome = byId('account-outcome');
  /** Ends the wait for the autofill. @type {AbortController | undefined} */
  #wait;

  /**
   * @param {Client} client
   * @param {{ readonly passkeyDomain?: string, readonly publicUrl?: string }} settings
   */
  constructor(client, { passkeyDomain = '', publicUrl }) {
    this.client = client;
    const isDomain = `.${location.hostname}`.endsWith(`.${passkeyDomain}`);
    this.canBeUsed = client.passkeys.isSupported && isDomain;
    const hint = byId('passkey-hint');
    const signUp = byId('passkey-sign-up', HTMLFormElement);
    byId('passkey-buttons').hidden = signUp.hidden = !this.canBeUsed;
    hint.hidden = this.canBeUsed || passkeyDomain === '';
    setText(
      hint,
      isDomain
        ? 'This browser has no passkeys, or not without TLS.'
        : `Passkeys belong to a domain. Here they work on ${passkeyDomain}.`,
    );
    if (this.canBeUsed && publicUrl === undefined) {
      byId('other-ways').hidden = false;
      byId('mail-sign-in').hidden = true;
    }
    onPress(byId('sign-in-with-passkey', HTMLButtonElement), this.#outcome, async () => {
      try {
        await client.passkeys.signIn();
        return 'You are signed in with a passkey.';
      } catch (error) {
        throw inWords(error);
      } finally {
        this.#suggestAgain();
      }
    });
    onSubmit(signUp, this.#outcome, async ({ email = '' }) => {
      try {
        const result = await client.passkeys.signUp({ email });
        signUp.reset();
        showOutcome(this.#outcome, SIGNED_UP[result]);
      } catch (error) {
        throw inWords(error);
      } finally {
        this.#suggestAgain();
      }
    });
  }

  /** A dialog has ended the wait. */
  #suggestAgain() {
    this.#wait = undefined;
    this.update();
  }

  update() {
    const isWanted = this.canBeUsed && !byId('signed-out').hidden;
    if (isWanted && !this.#wait) this.#suggest();
    if (isWanted) return;
    this.#wait?.abort();
    this.#wait = undefined;
  }

  /** Lets the browser suggest passkeys in the sign-in form, and waits until the visitor picks one. */
  async #suggest() {
    const wait = new AbortController();
    this.#wait = wait;
    try {
      if (!(await this.client.passkeys.isAutofillSupported())) return;
      await this.client.passkeys.signIn({ autofill: true, signal: wait.signal });
      showOutcome(this.#outcome, 'You are signed in with a passkey.');
    } catch (error) {
      // The visitor has not asked for anything yet, unless the server has refused a passkey.
      if (error instanceof AuthError && error.status === 401) showOutcome(this.#outcome, inWords(error));
    }
  }
}
