import { setText } from './dom.js';
import { clearErrors, onSubmit } from './field-errors.js';
import { onPress, showOutcome } from './outcome.js';
import { inWords } from './passkey-sign-in.js';

/** @typedef {import('./authenticator.js').DemoAuthenticator} DemoAuthenticator */
/** @typedef {'password' | 'totp' | 'recovery_code'} Method */
/** @typedef {{ password: string } | { code: string } | { recoveryCode: string }} Proof */
/** @typedef {{ readonly send: (proof: Proof) => Promise<void>, readonly usePasskey: () => Promise<string> }} Ways */

/** How a form asks for the proof of each method of the server. */
const METHODS = {
  password: { member: 'password', label: 'Password', type: 'password', complete: 'current-password', other: '' },
  totp: {
    member: 'code',
    label: 'Code of your authenticator app',
    type: 'text',
    complete: 'one-time-code',
    other: 'Use the authenticator app',
  },
  recovery_code: {
    member: 'recoveryCode',
    label: 'Recovery code',
    type: 'text',
    complete: 'off',
    other: 'Use a recovery code',
  },
};

/**
 * A form with one field for a proof of identity. A button switches to another method, if there is one. A second button
 * proves with a passkey, which needs no field.
 */
export class ProofForm {
  #form;
  #place;
  #label;
  #input;
  #other;
  #passkey;
  #helper;
  /** @type {readonly Method[]} */
  #methods = [];
  /** @type {Method} */
  #method = 'password';

  /**
   * @param {HTMLFormElement} form with a field, and the buttons `data-other` and `data-passkey`
   * @param {HTMLElement} place a live region for errors
   * @param {DemoAuthenticator} authenticator
   * @param {Ways} ways
   */
  constructor(form, place, authenticator, { send, usePasskey }) {
    this.#form = form;
    this.#place = place;
    this.#label = /** @type {HTMLLabelElement} */ (form.querySelector('label'));
    this.#input = /** @type {HTMLInputElement} */ (form.querySelector('input'));
    this.#other = /** @type {HTMLButtonElement} */ (form.querySelector('[data-other]'));
    this.#passkey = /** @type {HTMLButtonElement} */ (form.querySelector('[data-passkey]'));
    this.#helper = /** @type {HTMLElement} */ (form.querySelector('[data-helper]'));
    authenticator.addTo(this.#helper);
    this.#other.addEventListener('click', () => this.#choose(this.#otherMethod ?? this.#method));
    onPress(this.#passkey, place, async () => {
      clearErrors(form);
      return usePasskey().catch((error) => {
        throw inWords(error);
      });
    });
    onSubmit(form, place, async () => {
      const { member } = METHODS[this.#method];
      const isCode = this.#method === 'totp';
      await send(/** @type {Proof} */ ({ [member]: this.#input.value }));
      if (isCode) authenticator.markUsed();
    });
  }

  /**
   * Asks for a proof by the first of these methods that the page knows.
   *
   * @param {readonly string[]} methods
   */
  ask(methods) {
    this.#methods = methods.filter((each) => each in METHODS).map((each) => /** @type {Method} */ (each));
    const hasPasskey = methods.includes('passkey');
    const isField = this.#methods.length > 0 || !hasPasskey;
    this.#passkey.hidden = !hasPasskey;
    for (const part of this.#form.querySelectorAll('.field, [type=submit]')) part.toggleAttribute('hidden', !isField);
    this.#choose(this.#methods[0] ?? 'password');
    if (!isField) this.#passkey.focus();
  }

  /** Removes what the user has entered, and the errors. */
  clear() {
    clearErrors(this.#form);
    this.#form.reset();
    showOutcome(this.#place, '');
  }

  get #otherMethod() {
    return this.#methods.find((each) => each !== this.#method);
  }

  /** @param {Method} method */
  #choose(method) {
    this.#method = method;
    this.clear();
    const { member, label, type, complete } = METHODS[method];
    setText(this.#label, label);
    Object.assign(this.#input, {
      name: member,
      type,
      autocomplete: complete,
      inputMode: member === 'code' ? 'numeric' : '',
    });
    this.#helper.hidden = method !== 'totp';
    const other = this.#otherMethod;
    this.#other.hidden = !other;
    setText(this.#other, other ? METHODS[other].other : '');
    this.#input.focus();
  }
}
