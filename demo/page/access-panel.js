import { byId, make, show } from './dom.js';
import { onPress, tell } from './outcome.js';
import { poll } from './poll.js';
import { ask } from './request.js';

/** @typedef {import('./request.js').Client} Client */

const INSTANTS = ['iat', 'exp', 'session_iat'];

/** What the access token says, for how long, and whether the database still says the same. */
export class AccessPanel {
  #countdown = byId('countdown');
  #claims = byId('claims');
  #outcome = byId('access-outcome');
  #token = byId('permissions-token');
  #database = byId('permissions-database');
  #verdict = byId('permissions-verdict');
  /** @type {readonly string[] | undefined} what the database says */
  #permissions;
  /** @type {unknown} the state whose claims are shown */
  #shown;

  /** @param {Client} client */
  constructor(client) {
    this.client = client;
    const isWanted = () => client.state.status === 'signed-in';
    const askProfile = poll(
      isWanted,
      async () => {
        this.#permissions = (await ask(client, 'GET', '/profile')).permissions;
        this.#compare();
      },
      () => isWanted() && show(this.#verdict, 'The database could not be asked.'),
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

  /** Forgets what was shown. */
  clear() {
    this.#permissions = this.#shown = undefined;
    this.#claims.replaceChildren();
    for (const place of [this.#countdown, this.#token, this.#database, this.#verdict]) show(place, '');
    tell(this.#outcome, '');
  }

  #count() {
    const { state } = this.client;
    if (state.status !== 'signed-in') return;
    const seconds = Math.max(0, Math.ceil((state.expiresAt - Date.now()) / 1000));
    const rest = String(seconds % 60).padStart(2, '0');
    show(this.#countdown, seconds > 0 ? `${Math.floor(seconds / 60)}:${rest}` : '0:00 (the next request renews it)');
  }

  #showClaims() {
    const { state } = this.client;
    if (state.status !== 'signed-in' || this.#shown === state) return;
    this.#shown = state;
    const rows = Object.entries(state.claims).map(([name, value]) => {
      const isInstant = INSTANTS.includes(name) && typeof value === 'number';
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      const cell = make('td', {}, make('code', {}, text));
      if (isInstant) cell.append(make('span', { class: 'hint' }, ` ${new Date(value * 1000).toLocaleTimeString()}`));
      return make('tr', {}, make('th', { scope: 'row' }, name), cell);
    });
    this.#claims.replaceChildren(...rows);
    this.#count();
  }

  #compare() {
    const { state } = this.client;
    if (state.status !== 'signed-in') return;
    const claimed = wordsOf(state.claims.permissions ?? []);
    show(this.#token, claimed);
    if (!this.#permissions) return;
    const kept = wordsOf(this.#permissions);
    show(this.#database, kept);
    const isSame = claimed === kept;
    this.#verdict.classList.toggle('notice', !isSame);
    show(
      this.#verdict,
      isSame ? 'Both are the same.' : 'They differ: the next refresh copies the change into the token.',
    );
  }
}

/** @param {readonly string[]} permissions */
function wordsOf(permissions) {
  return permissions.length > 0 ? permissions.join(', ') : 'none';
}
