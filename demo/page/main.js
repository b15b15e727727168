import { AuthClient } from '/client/index.js';
import { memoryKeys } from '/client/keys.js';
import { magicLinkMethods } from '/client/magic-link.js';
import { mailMethods } from '/client/mail-methods.js';
import { passkeyMethods } from '/client/passkeys.js';
import { socialMethods } from '/client/social.js';
import { stepUp } from '/client/step-up.js';
import { memoryStore } from '/client/store.js';
import { mfaMethods } from '/features/totp/totp.client.js';
import { AccessPanel } from './access-panel.js';
import { AccountPanel } from './account-panel.js';
import { DemoAuthenticator } from './authenticator.js';
import { ConnectedAccounts } from './connected-accounts.js';
import { DevicesPanel } from './devices-panel.js';
import { byId } from './dom.js';
import { FactorPanel } from './factor-panel.js';
import { IntroPanel } from './intro-panel.js';
import { OtherWays } from './other-ways.js';
import { showOutcome } from './outcome.js';
import { PasskeyList } from './passkey-list.js';
import { PasskeySignIn } from './passkey-sign-in.js';
import { SessionKind } from './session-kind.js';
import { StaffPanel } from './staff-panel.js';
import { StepUpDialog } from './step-up-dialog.js';
import { TheftPanel } from './theft-panel.js';

/** The settings of the server that the page needs: demo/page.ts. */
const settings = await fetch('/demo.json').then((response) => response.json());

const authenticator = new DemoAuthenticator();
const dialog = new StepUpDialog(authenticator);

const kind = new SessionKind(settings);

// Without a cookie the refresh token lives as long as this page: no script may find it in a storage.
/** @type {import('./request.js').Client} */
const client = new AuthClient({
  fetch: kind.fetch,
  ...(!settings.isCookie && { store: memoryStore(), keys: memoryKeys() }),
})
  .extend(mailMethods)
  .extend(mfaMethods)
  .extend(magicLinkMethods)
  .extend(socialMethods)
  .extend(passkeyMethods)
  .extend(stepUp((required) => dialog.ask(required, client)));

kind.client = client;

const factor = new FactorPanel(client, authenticator);
const account = new AccountPanel(client, authenticator, (codes) => factor.showRecoveryCodes(codes));
const access = new AccessPanel(client);
const devices = new DevicesPanel(client);
const theft = new TheftPanel(client, settings, kind);
const intro = new IntroPanel(client, settings, theft);
const otherWays = new OtherWays(client, account, settings);
const providers = settings.hasProviders ? await client.social.providers() : [];
otherWays.addProviders(client, providers, settings.publicUrl);
const connected = new ConnectedAccounts(client, providers);
const passkeySignIn = new PasskeySignIn(client, settings);
const passkeys = [passkeySignIn, new PasskeyList(client, passkeySignIn.canBeUsed)];
const panels = [theft, intro, account, access, devices, factor, connected, ...passkeys, new StaffPanel(client)];

/** @type {string | undefined} the session that is shown */
let shown;

function update() {
  const { state } = client;
  const session = state.status === 'signed-in' ? state.claims.session : undefined;
  if (session !== shown) {
    for (const panel of [access, devices, factor]) panel.clear();
    dialog.cancel();
  }
  shown = session;
  for (const panel of document.querySelectorAll('[data-signed-in]')) panel.toggleAttribute('hidden', !session);
  for (const panel of panels) panel.update();
}

client.subscribe(update);
const refusal = await client
  .finishSignIn()
  .then(() => client.finishLink())
  .catch((error) => error);
await client.restore().catch((error) => showOutcome(byId('account-outcome'), error));
update();
if (refusal) await otherWays.showRefusal(refusal).catch((error) => showOutcome(byId('account-outcome'), error));
