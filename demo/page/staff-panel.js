import { byId, make } from './dom.js';
import { onPress, tell } from './outcome.js';
import { ask } from './request.js';

/** @typedef {import('./request.js').Client} Client */
/** @typedef {{ id: string, email: string, permissions: string[], role: number, isActive: boolean }} User */

/** The role from which on somebody may change people. */
const SUPERUSER = 900;

/** Finds users and changes them. */
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
      await this.#find().catch((error) => tell(this.#outcome, error));
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
    tell(this.#outcome, '');
  }

  async #find() {
    const email = String(new FormData(this.#form).get('email'));
    /** @type {User[]} */
    const users = await ask(this.client, 'GET', `/admin/users?${new URLSearchParams({ email })}`);
    this.#users.replaceChildren(...users.map((user) => this.#makeItem(user)));
    tell(
      this.#outcome,
      users.length === 0 ? 'Nobody was found.' : `Found ${users.length}${users.length === 20 ? ', or more' : ''}.`,
    );
  }

  /** @param {User} user */
  #makeItem({ id, email, permissions, role, isActive }) {
    const permissionsInput = input(`permissions-${id}`, 'text', permissions.join(', '));
    const roleInput = input(`role-${id}`, 'number', String(role));
    const activeInput = input(`active-${id}`, 'checkbox', 'on');
    activeInput.checked = isActive;
    const save = make('button', { type: 'button', 'aria-label': `Save ${email}` }, 'Save');
    onPress(save, this.#outcome, async () => {
      const words = permissionsInput.value.split(',').map((word) => word.trim());
      const changes = {
        permissions: words.filter(Boolean),
        role: roleInput.value === '' ? '' : Number(roleInput.value), // what is no number, the server refuses
        isActive: activeInput.checked,
      };
      /** @type {User} */
      const now = await ask(this.client, 'PATCH', `/admin/users/${encodeURIComponent(id)}`, changes);
      permissionsInput.value = now.permissions.join(', ');
      return `${now.email} is changed: role ${now.role}, ${now.isActive ? 'active' : 'not active'}, permissions ${now.permissions.join(', ') || 'none'}.`;
    });
    const fields = make(
      'div',
      { class: 'row', role: 'group', 'aria-label': email },
      field('Permissions, by commas', permissionsInput),
      field('Role', roleInput),
      make('label', { class: 'check' }, activeInput, ' Active'),
      save,
    );
    return make('li', {}, make('div', {}, make('p', {}, make('strong', {}, email)), fields));
  }
}

/**
 * @param {string} id
 * @param {string} type
 * @param {string} value
 */
function input(id, type, value) {
  return make('input', { id, type, value, autocomplete: 'off' });
}

/**
 * @param {string} label
 * @param {HTMLInputElement} control
 */
function field(label, control) {
  return make('div', { class: 'field' }, make('label', { for: control.id }, label), control);
}
