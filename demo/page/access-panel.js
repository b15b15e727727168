import { byId, createElement, setText } from './dom.js';
import { onPress, showOutcome } from './outcome.js';
import { poll } from './poll.js';
import { requestJson } from './request.js';

/** @typedef {import('./request.js').Client} Client */

const INSTANTS = ['iat', 'exp', 'session_iat', 'auth_time'];

/**
 * Shows the claims of the access token, the time until it expires, and whether the database still has the same
 * permissions.
 */
export class AccessPanel {
  #countdown = byId('countdown');
  #claims = byId('claims');
  #outcome = byId('access-outcome');
  #token = byId('permissions-token');
  #database = byId('permissions-database');
  #verdict = byId('permissions-verdict');
  /** @type {readonly string[] | undefined} the permissions in the database */
  #permissions;
  /** @type {unknown} the state whose claims are on the page */
  #shown;

  /** @param {Client} client */
  constructor(client) {
    this.client = client;
    const isWanted = () => client.state.status === 'signed-in';
    const askProfile = poll(
      isWanted,
      async () => {
        this.#permissions = (await requestJson(client, 'GET', '/profile')).permissions;
        this.#compare();
      },
      () => isWanted() && setText(this.#verdict, 'The database could not be read.'),
    );
    this.update = () => {
      this.#showClaims();
      this.#compare();
      askProfile();
    };
    onPress(byId('refresh-now', HTMLButtonElement), this.#outcome, async () => {
      const state = await client.refresh();
      return state.status === 'signed-in'
        ? `A new token came: ${state.claims.jti.slice(0, 8)}.`
        : 'The session is over.';
    });
    setInterval(() => this.#count(), 250);
  }

  /** Clears the panel. */
  clear() {
    this.#permissions = this.#shown = undefined;
    this.#claims.replaceChildren();
    for (const place of [this.#countdown, this.#token, this.#database, this.#verdict]) setText(place, '');
    showOutcome(this.#outcome, '');
  }

  #count() {
    const { state } = this.client;
    if (state.status !== 'signed-in') return;
    const seconds = Math.max(0, Math.ceil((state.expiresAt - Date.now()) / 1000));
    const rest = String(seconds % 60).padStart(2, '0');
    setText(this.#countdown, seconds > 0 ? `${Math.floor(seconds / 60)}:${rest}` : '0:00 (the next request renews it)');
  }

  #showClaims() {
    const { state } = this.client;
    if (state.status !== 'signed-in' || this.#shown === state) return;
    this.#shown = state;
    const rows = Object.entries(state.claims).map(([name, value]) => {
      const isInstant = INSTANTS.includes(name) && typeof value === 'number';
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      const cell = createElement('td', {}, createElement('code', {}, text));
      if (isInstant)
        cell.append(createElement('span', { class: 'hint' }, ` ${new Date(value * 1000).toLocaleTimeString()}`));
      return createElement('tr', {}, createElement('th', { scope: 'row' }, name), cell);
    });
    this.#claims.replaceChildren(...rows);
    this.#count();
  }

  #compare() {
    const { state } = this.client;
    if (state.status !== 'signed-in') return;
    const claimed = wordsOf(state.claims.permissions ?? []);
    setText(this.#token, claimed);
    if (!this.#permissions) return;
    const kept = wordsOf(this.#permissions);
    setText(this.#database, kept);
    const isSame = claimed === kept;
    this.#verdict.classList.toggle('notice', !isSame);
    setText(
      this.#verdict,
      isSame ? 'Both are the same.' : 'They differ: the next refresh copies the change into the token.',
    );
  }
}

/** @param {readonly string[]} permissions */
function wordsOf(permissions) {
  return permissions.length > 0 ? permissions.join(', ') : 'none';
}
