import { byId, make, show } from './dom.js';
import { onPress, tell } from './outcome.js';
import { poll } from './poll.js';

/** @typedef {import('./request.js').Client} Client */
/** @typedef {import('/client/index.js').DeviceSession} DeviceSession */

/** Where the user is signed in. */
export class DevicesPanel {
  #list = byId('device-list', HTMLUListElement);
  #outcome = byId('devices-outcome');
  /** @type {Map<string, HTMLLIElement>} */
  #items = new Map();

  /** @param {Client} client */
  constructor(client) {
    this.client = client;
    const isWanted = () => client.state.status === 'signed-in';
    /** Asks at once, and from then on. */
    this.update = poll(
      isWanted,
      async () => {
        const sessions = await client.sessions();
        if (isWanted()) this.#show(sessions);
      },
      (error) => isWanted() && tell(this.#outcome, error),
    );
    onPress(byId('end-others', HTMLButtonElement), this.#outcome, async () => {
      await client.revokeOtherSessions();
      this.update();
      return 'Every other session has been ended.';
    });
  }

  /** Forgets what was shown. */
  clear() {
    this.#show([]);
    tell(this.#outcome, '');
  }

  /**
   * Keeps what is there already, so that a button does not lose the focus.
   * @param {readonly DeviceSession[]} sessions
   */
  #show(sessions) {
    const ids = new Set(sessions.map(({ id }) => id));
    for (const [id, item] of this.#items) {
      if (ids.has(id)) continue;
      item.remove();
      this.#items.delete(id);
    }
    sessions.forEach((session, place) => {
      const item = this.#items.get(session.id) ?? this.#makeItem(session);
      const { name, facts } = wordsOf(session);
      const [title, details] = item.querySelectorAll('p');
      if (title?.firstElementChild) show(title.firstElementChild, name);
      if (details) show(details, facts);
      item
        .querySelector('button')
        ?.setAttribute('aria-label', `Revoke ${name}${session.current ? ' (this device)' : ''}`);
      if (this.#list.children[place] !== item && !item.contains(document.activeElement))
        this.#list.insertBefore(item, this.#list.children[place] ?? null);
    });
  }

  /** @param {DeviceSession} session */
  #makeItem({ id, current }) {
    const title = make('p', {}, make('strong'));
    if (current) title.append(' ', make('span', { class: 'badge' }, 'this device'));
    const button = make('button', { type: 'button' }, 'Revoke');
    const item = make('li', {}, make('div', {}, title, make('p', { class: 'hint' })), button);
    onPress(button, this.#outcome, async () => {
      await this.client.revokeSession(id);
      this.update();
      return 'The session has been ended.';
    });
    this.#items.set(id, item);
    return item;
  }
}

/** @param {DeviceSession} session */
function wordsOf({ browser, os, device, ip, createdAt, lastUsedAt }) {
  const name = browser || os ? [browser, os].filter(Boolean).join(' on ') : 'An unknown device';
  const facts = [device, ip, `signed in ${timeOf(createdAt)}`, `refreshed ${timeOf(lastUsedAt)}`];
  return { name, facts: facts.filter(Boolean).join(' · ') };
}

/** @param {string} instant */
function timeOf(instant) {
  const date = new Date(instant);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString() : date.toLocaleString();
}
