import { byId, createElement } from './dom.js';
import { onPress, showOutcome } from './outcome.js';

/** Shows new recovery codes once, and copies them. */
export class RecoveryCodes {
  #panel = byId('recovery-codes');
  #title = byId('recovery-codes-title');
  #list = byId('recovery-code-list', HTMLUListElement);
  #outcome = byId('recovery-codes-outcome');

  constructor() {
    onPress(byId('copy-recovery-codes', HTMLButtonElement), this.#outcome, async () => {
      const codes = [...this.#list.children].map(({ textContent }) => textContent);
      // Browsers offer the clipboard only to pages of this machine and by TLS.
      if (!isSecureContext) return 'This page cannot copy without TLS: select the codes and copy them.';
      await navigator.clipboard.writeText(codes.join('\n'));
      return 'The codes are in the clipboard. Keep them in a safe place, apart from your phone.';
    });
    byId('hide-recovery-codes', HTMLButtonElement).addEventListener('click', () => this.clear());
  }

  /** @param {readonly string[]} codes */
  show(codes) {
    this.#list.replaceChildren(...codes.map((code) => createElement('li', {}, createElement('code', {}, code))));
    this.#panel.hidden = false;
    this.#title.focus();
  }

  /** Removes the codes from the page. */
  clear() {
    this.#panel.hidden = true;
    this.#list.replaceChildren();
    showOutcome(this.#outcome, '');
  }
}
