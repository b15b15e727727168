import { byId, createElement, setText } from './dom.js';
import { onPress, showOutcome } from './outcome.js';
import { poll } from './poll.js';

/** @typedef {import('./request.js').Client} Client */
/** @typedef {import('/client/index.js').DeviceSession} DeviceSession */

/** Lists the sessions of the user. */
export class DevicesPanel {
  #list = byId('device-list', HTMLUListElement);
  #outcome = byId('devices-outcome');
  /** @type {Map<string, HTMLLIElement>} */
  #items = new Map();

  /** @param {Client} client */
  constructor(client) {
    this.client = client;
    const isWanted = () => client.state.status === 'signed-in';
    /** Loads the list now, and from then on at intervals. */
    this.update = poll(
      isWanted,
      async () => {
        const sessions = await client.sessions();
        if (isWanted()) this.#show(sessions);
      },
      (error) => isWanted() && showOutcome(this.#outcome, error),
    );
    onPress(byId('end-others', HTMLButtonElement), this.#outcome, async () => {
      await client.revokeOtherSessions();
      this.update();
      return 'Every other session has been ended.';
    });
  }

  /** Clears the panel. */
  clear() {
    this.#show([]);
    showOutcome(this.#outcome, '');
  }

  /**
   * Updates existing items in place, so that a button does not lose the focus.
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
      if (title?.firstElementChild) setText(title.firstElementChild, name);
      if (details) setText(details, facts);
      item
        .querySelector('button')
        ?.setAttribute('aria-label', `Revoke ${name}${session.current ? ' (this device)' : ''}`);
      if (this.#list.children[place] !== item && !item.contains(document.activeElement))
        this.#list.insertBefore(item, this.#list.children[place] ?? null);
    });
  }

  /** @param {DeviceSession} session */
  #makeItem({ id, current }) {
    const title = createElement('p', {}, createElement('strong'));
    if (current) title.append(' ', createElement('span', { class: 'badge' }, 'this device'));
    const button = createElement('button', { type: 'button' }, 'Revoke');
    const item = createElement(
      'li',
      {},
      createElement('div', {}, title, createElement('p', { class: 'hint' })),
      button,
    );
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
