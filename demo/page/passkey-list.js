import { byId, createElement } from './dom.js';
import { onSubmit } from './field-errors.js';
import { onPress, showOutcome } from './outcome.js';
import { inWords } from './passkey-sign-in.js';

/** @typedef {import('./request.js').Client} Client */
/** @typedef {import('/features/passkeys/passkeys.client.js').Passkey} Passkey */

/** The passkeys of the user. */
export class PasskeyList {
  #section = byId('passkeys');
  #list = byId('passkey-list');
  #form = byId('add-passkey', HTMLFormElement);
  #outcome = byId('account-outcome');
  /** The user whose passkeys are shown. */
  #shown = '';

  /**
   * @param {Client} client
   * @param {boolean} canBeUsed whether this page can make passkeys
   */
  constructor(client, canBeUsed) {
    this.client = client;
    this.#form.hidden = !canBeUsed;
    onSubmit(this.#form, this.#outcome, async ({ name }) => {
      const added = await client.passkeys.add(name || undefined).catch((error) => {
        throw inWords(error);
      });
      this.#form.reset();
      await this.#load();
      showOutcome(this.#outcome, `From now on you can sign in with the passkey ${added.name}.`);
    });
  }

  update() {
    const { state } = this.client;
    const user = state.status === 'signed-in' ? state.claims.sub : '';
    if (user === this.#shown) return;
    this.#shown = user;
    this.#section.hidden = true;
    this.#form.reset();
    this.#list.replaceChildren();
    if (user) this.#load().catch((error) => showOutcome(this.#outcome, error));
  }

  async #load() {
    const user = this.#shown;
    const passkeys = await this.client.passkeys.list();
    if (user !== this.#shown) return;
    this.#section.hidden = this.#form.hidden && passkeys.length === 0;
    this.#list.replaceChildren(...passkeys.map((passkey) => this.#itemOf(passkey)));
  }

  /** @param {Passkey} passkey */
  #itemOf(passkey) {
    const { id, name, lastUsedAt, isDisabled } = passkey;
    const rename = createElement('button', { type: 'button' }, `Rename ${name}`);
    const remove = createElement('button', { type: 'button' }, `Remove ${name}`);
    const used = lastUsedAt ? `last used ${new Date(lastUsedAt).toLocaleString()}` : 'not used yet';
    const state = isDisabled ? 'disabled, because there may be a copy of it' : used;
    const item = createElement('li', {}, createElement('span', {}, `${name}: ${state} `));
    item.append(createElement('div', { class: 'row' }, rename, remove));
    rename.addEventListener('click', () => {
      const form = this.#renameForm(passkey);
      item.replaceChildren(form);
      form.querySelector('input')?.select();
    });
    onPress(remove, this.#outcome, async () => {
      await this.client.passkeys.remove(id);
      await this.#load();
      return `The passkey ${name} does not work here any more. You can delete it on your device, too.`;
    });
    return item;
  }

  /** @param {Passkey} passkey */
  #renameForm({ id, name }) {
    const input = createElement('input', {
      id: `name-${id}`,
      name: 'name',
      value: name,
      maxlength: '64',
      required: '',
    });
    const label = createElement('label', { for: input.id }, 'New name');
    const save = createElement('button', { type: 'submit' }, 'Save the name');
    const form = createElement('form', { class: 'row', novalidate: '', 'aria-label': `Rename ${name}` });
    form.append(createElement('div', { class: 'field' }, label, input), save);
    onSubmit(form, this.#outcome, async () => {
      await this.client.passkeys.rename(id, input.value);
      await this.#load();
      showOutcome(this.#outcome, 'The passkey has a new name.');
    });
    return form;
  }
}
