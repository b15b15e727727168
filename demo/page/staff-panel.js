import { byId, createElement } from './dom.js';
import { onPress, showOutcome } from './outcome.js';
import { requestJson } from './request.js';

/** @typedef {import('./request.js').Client} Client */
/** @typedef {{ id: string, email: string, permissions: string[], role: number, isActive: boolean }} User */

/** The lowest role that may manage users. */
const SUPERUSER = 900;

/** Finds and changes users. */
export class StaffPanel {
  #panel = byId('staff');
  #form = byId('search', HTMLFormElement);
  #outcome = byId('staff-outcome');
  #users = byId('users', HTMLUListElement);

  /** @param {Client} client */
  constructor(client) {
    this.client = client;
    this.#form.addEventListener('submit', async (event) => {
      event.preventDefault();
      await this.#find().catch((error) => showOutcome(this.#outcome, error));
    });
  }

  update() {
    const { state } = this.client;
    this.#panel.hidden = state.status !== 'signed-in' || state.claims.role < SUPERUSER;
    if (this.#panel.hidden) this.clear();
  }

  clear() {
    this.#form.reset();
    this.#users.replaceChildren();
    showOutcome(this.#outcome, '');
  }

  async #find() {
    const email = String(new FormData(this.#form).get('email'));
    /** @type {User[]} */
    const users = await requestJson(this.client, 'GET', `/admin/users?${new URLSearchParams({ email })}`);
    this.#users.replaceChildren(...users.map((user) => this.#makeItem(user)));
    showOutcome(
      this.#outcome,
      users.length === 0 ? 'No users found.' : `Found ${users.length}${users.length === 20 ? ', or more' : ''}.`,
    );
  }

  /** @param {User} user */
  #makeItem({ id, email, permissions, role, isActive }) {
    const permissionsInput = input(`permissions-${id}`, 'text', permissions.join(', '));
    const roleInput = input(`role-${id}`, 'number', String(role));
    const activeInput = input(`active-${id}`, 'checkbox', 'on');
    activeInput.checked = isActive;
    const save = createElement('button', { type: 'button', 'aria-label': `Save ${email}` }, 'Save');
    onPress(save, this.#outcome, async () => {
      const words = permissionsInput.value.split(',').map((word) => word.trim());
      const changes = {
        permissions: words.filter(Boolean),
        role: roleInput.value === '' ? '' : Number(roleInput.value), // the server refuses an empty role
        isActive: activeInput.checked,
      };
      /** @type {User} */
      const now = await requestJson(this.client, 'PATCH', `/admin/users/${encodeURIComponent(id)}`, changes);
      permissionsInput.value = now.permissions.join(', ');
      return `${now.email} is changed: role ${now.role}, ${now.isActive ? 'active' : 'not active'}, permissions ${now.permissions.join(', ') || 'none'}.`;
    });
    const fields = createElement(
      'div',
      { class: 'row', role: 'group', 'aria-label': email },
      field('Permissions, separated by commas', permissionsInput),
      field('Role', roleInput),
      createElement('label', { class: 'check' }, activeInput, ' Active'),
      save,
    );
    return createElement(
      'li',
      {},
      createElement('div', {}, createElement('p', {}, createElement('strong', {}, email)), fields),
    );
  }
}

/**
 * @param {string} id
 * @param {string} type
 * @param {string} value
 */
function input(id, type, value) {
  return createElement('input', { id, type, value, autocomplete: 'off' });
}

/**
 * @param {string} label
 * @param {HTMLInputElement} control
 */
function field(label, control) {
  return createElement('div', { class: 'field' }, createElement('label', { for: control.id }, label), control);
}
