import { AuthClient } from '/client/index.js';
import { mailMethods } from '/client/mail-methods.js';
import { memoryStore } from '/client/store.js';
import { AccessPanel } from './access-panel.js';
import { AccountPanel } from './account-panel.js';
import { DevicesPanel } from './devices-panel.js';
import { byId } from './dom.js';
import { IntroPanel } from './intro-panel.js';
import { showOutcome } from './outcome.js';
import { StaffPanel } from './staff-panel.js';
import { TheftPanel } from './theft-panel.js';

/** The settings of the server that the page needs: demo/page.ts. */
const settings = await fetch('/demo.json').then((response) => response.json());

// Without a cookie the refresh token lives as long as this page: no script may find it in a storage.
/** @type {import('./request.js').Client} */
const client = new AuthClient(settings.isCookie ? {} : { store: memoryStore() }).extend(mailMethods);

const account = new AccountPanel(client);
const access = new AccessPanel(client);
const devices = new DevicesPanel(client);
const theft = new TheftPanel(client, settings);
const panels = [theft, new IntroPanel(client, settings, theft), account, access, devices, new StaffPanel(client)];

/** @type {string | undefined} the session that is shown */
let shown;

function update() {
  const { state } = client;
  const session = state.status === 'signed-in' ? state.claims.session : undefined;
  if (session !== shown) for (const panel of [access, devices]) panel.clear();
  shown = session;
  for (const panel of document.querySelectorAll('[data-signed-in]')) panel.toggleAttribute('hidden', !session);
  for (const panel of panels) panel.update();
}

client.subscribe(update);
await client.restore().catch((error) => showOutcome(byId('account-outcome'), error));
update();
