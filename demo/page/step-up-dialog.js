import { AuthError } from '/client/index.js';
import { byId, setText } from './dom.js';
import { ProofForm } from './proof-form.js';

/** @typedef {import('./request.js').Client} Client */
/** @typedef {import('/client/step-up.js').RequiredProof} RequiredProof */

/** Asks a signed-in user for a new proof of identity, because the server wants one for a request (RFC 9470). */
export class StepUpDialog {
  #dialog = byId('step-up', HTMLDialogElement);
  #message = byId('step-up-message');
  #form;
  /** @type {Client | undefined} */
  #client;

  /** @param {import('./authenticator.js').DemoAuthenticator} authenticator */
  constructor(authenticator) {
    const form = byId('step-up-form', HTMLFormElement);
    this.#form = new ProofForm(form, byId('step-up-outcome'), authenticator, async (proof) => {
      await this.#client?.reauthenticate(proof);
      this.#dialog.close('proved');
    });
    byId('step-up-cancel', HTMLButtonElement).addEventListener('click', () => this.cancel());
  }

  /**
   * Opens the dialog.
   *
   * @param {RequiredProof} required
   * @param {Client} client
   * @returns {Promise<boolean>} whether the user has given a proof; false if the user closes the dialog
   * @throws AuthError if the user has no second factor, but needs one
   */
  async ask({ code, maxAge }, client) {
    const { totp, recoveryCodesLeft } = await client.mfa.status();
    if (code === 'second_factor_required' && !totp)
      throw new AuthError(code, 401, 'This needs a second factor: set up an authenticator app first.');
    const isOld = code === 'reauthentication_required' && maxAge !== undefined;
    const need = isOld ? `a proof of identity from the last ${maxAge} seconds` : 'a second factor in this session';
    setText(this.#message, `The server answered 401 ${code}: the request needs ${need}.`);
    this.#client = client;
    this.#dialog.returnValue = '';
    this.#dialog.showModal();
    this.#form.ask(totp ? ['totp', ...(recoveryCodesLeft > 0 ? ['recovery_code'] : [])] : ['password']);
    await new Promise((resolve) => this.#dialog.addEventListener('close', resolve, { once: true }));
    this.#form.clear();
    return this.#dialog.returnValue === 'proved';
  }

  /** Closes the dialog without a proof, for example because the session has ended. */
  cancel() {
    if (this.#dialog.open) this.#dialog.close('');
  }
}
