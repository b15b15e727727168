import { byId, createElement } from './dom.js';
import { onPress, showOutcome } from './outcome.js';

/** @typedef {import('./request.js').Client} Client */
/** @typedef {readonly { readonly id: string, readonly name: string }[]} Providers */

/** The accounts of providers with which the user can sign in. */
export class ConnectedAccounts {
  #section = byId('connected');
  #list = byId('connected-list');
  #buttons = byId('connect-buttons');
  #outcome = byId('account-outcome');
  /** The user whose accounts are shown. */
  #shown = '';

  /**
   * @param {Client} client
   * @param {Providers} providers
   */
  constructor(client, providers) {
    this.client = client;
    this.providers = providers;
  }

  update() {
    const { state } = this.client;
    const user = state.status === 'signed-in' ? state.claims.sub : '';
    this.#section.hidden = !user || this.providers.length === 0;
    if (user === this.#shown) return;
    this.#shown = user;
    this.#list.replaceChildren();
    this.#buttons.replaceChildren();
    if (user && this.providers.length > 0) this.#load().catch((error) => showOutcome(this.#outcome, error));
  }

  async #load() {
    const user = this.#shown;
    const accounts = await this.client.social.accounts();
    if (user !== this.#shown) return;
    this.#list.replaceChildren(...accounts.map((account) => this.#itemOf(account)));
    const others = this.providers.filter(({ id }) => accounts.every(({ provider }) => provider !== id));
    this.#buttons.replaceChildren(...others.map((provider) => this.#buttonOf(provider)));
  }

  /** @param {Awaited<ReturnType<Client['social']['accounts']>>[number]} account */
  #itemOf({ id, provider, email }) {
    const name = this.providers.find((each) => each.id === provider)?.name ?? provider;
    const button = createElement('button', { type: 'button' }, `Disconnect ${name}`);
    onPress(button, this.#outcome, async () => {
      await this.client.social.disconnect(id);
      await this.#load();
      return `You cannot sign in with ${name} any more.`;
    });
    return createElement('li', {}, createElement('span', {}, `${name}: ${email ?? 'no address'} `), button);
  }

  /** @param {Providers[number]} provider */
  #buttonOf({ id, name }) {
    const button = createElement('button', { type: 'button' }, `Connect ${name}`);
    onPress(button, this.#outcome, async () => {
      await this.client.social.connect(id);
      return '';
    });
    return button;
  }
}
