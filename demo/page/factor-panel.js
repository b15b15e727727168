import { byId, setText } from './dom.js';
import { onPress, showOutcome } from './outcome.js';
import { poll } from './poll.js';
import { RecoveryCodes } from './recovery-codes.js';
import { requestJson } from './request.js';
import { TotpSetUp } from './totp-set-up.js';

/** @typedef {import('./request.js').Client} Client */

/** The values of `amr` that the demo can show, in words (RFC 8176); `mfa` says only how many there were. @type {Readonly<Record<string, string>>} */
const METHODS = {
  pwd: 'a password',
  otp: 'a code of the authenticator app',
  recovery: 'a recovery code',
  mail: 'a link or code by mail',
  fed: 'an account of a provider',
  hwk: 'a passkey of one device',
  swk: 'a passkey',
};

/** The second factor of the user, and what the sign-in of this session is worth. */
export class FactorPanel {
  #status = byId('factor-status');
  #outcome = byId('factor-outcome');
  #on = byId('factor-on');
  #start = byId('set-up', HTMLButtonElement);
  #amr = byId('proof-amr');
  #words = byId('proof-words');
  #age = byId('proof-age');
  #proofOutcome = byId('proof-outcome');
  #codes = new RecoveryCodes();
  #setUp;

  /**
   * @param {Client} client
   * @param {import('./authenticator.js').DemoAuthenticator} authenticator
   */
  constructor(client, authenticator) {
    this.client = client;
    this.#setUp = new TotpSetUp(
      byId('set-up-place'),
      this.#outcome,
      { client, authenticator },
      {
        confirmed: (recoveryCodes) => this.showRecoveryCodes(recoveryCodes),
        cancelled: () => this.#setUp.clear(),
      },
    );
    const isWanted = () => client.state.status === 'signed-in';
    const load = async () => {
      const status = await client.mfa.status();
      if (isWanted()) this.#showStatus(status);
    };
    const loadAtIntervals = poll(
      isWanted,
      load,
      () => isWanted() && setText(this.#status, 'The second factors could not be read.'),
    );
    this.update = () => {
      this.#showProof();
      loadAtIntervals();
    };
    onPress(this.#start, this.#outcome, async () => {
      this.#codes.clear();
      await this.#setUp.start();
      return '';
    });
    onPress(byId('renew-recovery-codes', HTMLButtonElement), this.#outcome, async () => {
      const { recoveryCodes } = await client.mfa.newRecoveryCodes();
      this.#codes.show(recoveryCodes);
      await load();
      return 'The old recovery codes do not work any more.';
    });
    onPress(byId('remove-factor', HTMLButtonElement), this.#outcome, async () => {
      await client.mfa.removeTotp();
      this.#codes.clear();
      authenticator.forget();
      await load();
      return 'The authenticator app and the recovery codes are removed.';
    });
    this.#onAction('export', 'The server has made the export.');
    this.#onAction('transfer', 'The server has sent the money.');
    setInterval(() => this.#showProof(), 250);
  }

  /** Shows the codes that the user has just got. @param {readonly string[]} recoveryCodes */
  showRecoveryCodes(recoveryCodes) {
    showOutcome(this.#outcome, 'Your next sign-in asks for a code. The other sessions of the account have ended.');
    this.#codes.show(recoveryCodes);
    this.update();
  }

  /** Clears the panel. */
  clear() {
    this.#setUp.clear();
    this.#codes.clear();
    this.#on.hidden = this.#start.hidden = true;
    setText(this.#status, '');
    showOutcome(this.#outcome, '');
    showOutcome(this.#proofOutcome, '');
  }

  /** @param {import('/features/totp/totp.client.js').MfaStatus} status */
  #showStatus({ totp, recoveryCodesLeft }) {
    const left = `${recoveryCodesLeft} recovery ${recoveryCodesLeft === 1 ? 'code' : 'codes'} left`;
    setText(
      this.#status,
      totp ? `A sign-in asks for a code of your authenticator app; ${left}.` : 'A sign-in asks for no second factor.',
    );
    this.#on.hidden = !totp;
    this.#start.hidden = totp;
    if (totp) this.#setUp.clear();
  }

  #showProof() {
    const { state } = this.client;
    if (state.status !== 'signed-in') return;
    const { amr = [], auth_time: instant } = state.claims;
    setText(this.#amr, amr.join(', '));
    setText(this.#words, amr.flatMap((each) => METHODS[each] ?? []).join(' and '));
    if (instant !== undefined) setText(this.#age, ageOf(Math.max(0, Math.floor(Date.now() / 1000 - instant))));
  }

  /**
   * A request that needs more than an access token. The client asks for a proof and repeats it: step-up-dialog.js.
   *
   * @param {'export' | 'transfer'} name
   * @param {string} done
   */
  #onAction(name, done) {
    onPress(byId(name, HTMLButtonElement), this.#proofOutcome, async () => {
      await requestJson(this.client, 'POST', `/profile/${name}`);
      return done;
    });
  }
}

/** @param {number} seconds */
function ageOf(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
