import { byId, setText } from './dom.js';
import { onSubmit } from './field-errors.js';

/** @typedef {import('./request.js').Client} Client */

/** Sets up an authenticator app: shows the secret, and asks for a first code. */
export class TotpSetUp {
  /**
   * @param {HTMLElement} place where the form appears
   * @param {HTMLElement} outcome a live region for errors
   * @param {{ client: Client, authenticator: import('./authenticator.js').DemoAuthenticator }} parts
   * @param {{ confirmed: (recoveryCodes: readonly string[]) => void, cancelled: () => void }} handlers
   */
  constructor(place, outcome, { client, authenticator }, handlers) {
    this.place = place;
    this.outcome = outcome;
    this.client = client;
    this.authenticator = authenticator;
    this.handlers = handlers;
  }

  /**
   * Gets a secret and shows it.
   *
   * @param {string} [challenge] of a sign-in that needs the set-up; without it, for the signed-in user
   */
  async start(challenge) {
    const { secret, uri, qr } = await this.client.mfa.setup(challenge ? { challenge } : {});
    this.authenticator.keep(secret);
    this.place.replaceChildren(byId('set-up-template', HTMLTemplateElement).content.cloneNode(true));
    const find = (/** @type {string} */ part) => /** @type {Element} */ (this.place.querySelector(part));
    find('img').setAttribute('src', `data:image/svg+xml,${encodeURIComponent(qr)}`);
    find('a').setAttribute('href', uri);
    setText(find('.secret'), secret.match(/.{1,4}/g)?.join(' ') ?? '');
    this.authenticator.addTo(find('[data-helper]'));
    find('[data-cancel]').addEventListener('click', () => this.handlers.cancelled());
    const form = /** @type {HTMLFormElement} */ (find('form'));
    onSubmit(form, this.outcome, async ({ code = '' }) => {
      const { recoveryCodes } = await this.client.mfa.confirm({ code, ...(challenge && { challenge }) });
      this.authenticator.markUsed();
      this.clear();
      this.handlers.confirmed(recoveryCodes);
    });
    /** @type {HTMLElement} */ (find('input')).focus();
  }

  /** Removes the form, with the secret. */
  clear() {
    this.place.replaceChildren();
  }
}
