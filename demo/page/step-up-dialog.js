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
    this.#form = new ProofForm(form, byId('step-up-outcome'), authenticator, {
      send: async (proof) => {
        await this.#client?.reauthenticate(proof);
        this.#dialog.close('proved');
      },
      usePasskey: async () => {
        const credential = await this.#client?.passkeys.prove();
        if (credential) await this.#client?.reauthenticate({ credential });
        this.#dialog.close('proved');
        return '';
      },
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
    const { mode, totp, recoveryCodesLeft, passkeys } = await client.mfa.status();
    const isFactorNeeded = code === 'second_factor_required';
    if (isFactorNeeded && !totp && passkeys === 0)
      throw new AuthError(code, 401, 'This needs a second factor: add a passkey or set up an authenticator app first.');
    const isOld = code === 'reauthentication_required' && maxAge !== undefined;
    const need = isOld ? `a proof of identity from the last ${maxAge} seconds` : 'a second factor in this session';
    setText(this.#message, `The server answered 401 ${code}: the request needs ${need}.`);
    this.#client = client;
    this.#dialog.returnValue = '';
    this.#dialog.showModal();
    const codes = totp ? ['totp', ...(recoveryCodesLeft > 0 ? ['recovery_code'] : [])] : [];
    const isPasswordEnough = !totp && !isFactorNeeded && !(mode === 'required' && passkeys > 0);
    this.#form.ask([...codes, ...(isPasswordEnough ? ['password'] : []), ...(passkeys > 0 ? ['passkey'] : [])]);
    await new Promise((resolve) => this.#dialog.addEventListener('close', resolve, { once: true }));
    this.#form.clear();
    return this.#dialog.returnValue === 'proved';
  }

  /** Closes the dialog without a proof, for example because the session has ended. */
  cancel() {
    if (this.#dialog.open) this.#dialog.close('');
  }
}
