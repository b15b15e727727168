import { Table } from '../../database/table.js';
import { TableSweep } from '../../database/table-sweep.js';
import type { AuthKernel } from '../../kernel.js';
import type { AuthModule, ModuleParts } from '../../module.js';
import {
  createPasskeyEntity,
  createUsedPasskeyChallengeEntity,
  USED_PASSKEY_CHALLENGE_ENTITY,
} from './passkey.entity.js';
import { PasskeyAssertions } from './passkey-assertions.js';
import { CHALLENGE_SECONDS, PasskeyChallenges } from './passkey-challenges.js';
import { passkeyAccountsCheck, passkeyDomainCheck } from './passkey-checks.js';
import { passkeysResetCommand } from './passkey-command.js';
import { PasskeyConsistency } from './passkey-consistency.js';
import { PasskeyCreation } from './passkey-creation.js';
import { PASSKEY_ERRORS } from './passkey-errors.js';
import { passkeyFactor } from './passkey-factor.js';
import { PasskeyLimiter } from './passkey-limiter.js';
import { createPasskeyLoginController } from './passkey-login.controller.js';
import { PasskeyReAuthentication } from './passkey-re-authentication.js';
import { PasskeyRegistrationService } from './passkey-registration.service.js';
import { PasskeySignInService } from './passkey-sign-in.service.js';
import { createPasskeySignUpController } from './passkey-sign-up.controller.js';
import { PasskeySignUpService } from './passkey-sign-up.service.js';
import { PasskeyStore } from './passkey-store.js';
import { PasskeyVerifier } from './passkey-verifier.js';
import { createPasskeysController } from './passkeys.controller.js';
import { PASSKEY_MAILS } from './passkeys.mails.js';
import { CreatePasskeys } from './passkeys.migration.js';
import { PasskeysService } from './passkeys.service.js';
import { PasskeysSettings } from './passkeys.settings.js';
import { COMPLETION, passkeyIn } from './pending-passkey.js';
import { relyingPartyOf, warnOfPages } from './relying-party.js';
import './passkey-events.js';

declare module '../../jwt-allauth.js' {
  interface JwtAllauth {
    /** The passkeys of users, with the module `jwt-allauth/passkeys`. */
    readonly passkeys: PasskeysService;
  }
}

/** Sign-in with passkeys (WebAuthn level 3). They are also a second factor, and make a session fresh. */
export const passkeysModule: AuthModule<PasskeysSettings> = {
  name: 'passkeys',
  settings: PasskeysSettings,
  errors: PASSKEY_ERRORS,
  routes: ['passkeySignUp'],
  mails: PASSKEY_MAILS,
  entities: (user) => [createPasskeyEntity(user), createUsedPasskeyChallengeEntity()],
  migrations: [{ name: 'JwtAllauth_20261201_passkeys', class: CreatePasskeys }],
  commands: [passkeysResetCommand],
  checks: [passkeyDomainCheck, passkeyAccountsCheck],
  create: createParts,
};

function createParts(kernel: AuthKernel, passkeysSettings: PasskeysSettings): ModuleParts {
  const { make, database, orm, http, passwordlessSignUps } = kernel;
  const services = createServices(kernel, passkeysSettings);
  const { passkeys, passkeyCreation } = services;
  const used = Table.named(orm, USED_PASSKEY_CHALLENGE_ENTITY);
  return {
    controllers: [
      createPasskeyLoginController(make(PasskeySignInService, services), http),
      createPasskeysController(passkeys, make(PasskeyRegistrationService, services), http.prefix),
      ...(passwordlessSignUps.isOpen
        ? [createPasskeySignUpController({ ...kernel, passkeySignUp: make(PasskeySignUpService, services) }, http)]
        : []),
    ],
    secondFactors: [passkeyFactor(services)],
    signInMethods: [
      {
        name: 'passkey',
        isUsableBy: (user, em) => passkeys.isUsableBy(user, em),
        removeAtReset: (user, em, reset) => passkeys.removeAtReset(user, em, reset),
      },
    ],
    completions: {
      [COMPLETION]: async (user, data, em) => {
        await passkeyCreation.insert(user, passkeyIn(data), em);
      },
    },
    reAuthentications: [new PasskeyReAuthentication(services)],
    // Kept longer than they are good: the clocks of servers differ.
    sweeps: {
      usedPasskeyChallenges: new TableSweep(database, used, { since: 'expiresAt', secondsKept: CHALLENGE_SECONDS }),
    },
    api: { passkeys },
  };
}

/** The services of the library and of this module, for the parts above. */
function createServices(kernel: AuthKernel, passkeysSettings: PasskeysSettings) {
  const relyingParty = relyingPartyOf(kernel.settings, passkeysSettings);
  warnOfPages(kernel.logger, kernel.settings, passkeysSettings, relyingParty);
  const base = {
    ...kernel,
    passkeysSettings,
    relyingParty,
    passkeyChallenges: new PasskeyChallenges(kernel),
    passkeyStore: new PasskeyStore(kernel),
    passkeyConsistency: new PasskeyConsistency({ ...kernel, relyingParty }),
  };
  const parts = {
    ...base,
    passkeyLimiter: new PasskeyLimiter(base),
    passkeyVerifier: new PasskeyVerifier(base),
    passkeys: kernel.make(PasskeysService, base),
  };
  return {
    ...parts,
    passkeyCreation: new PasskeyCreation(parts),
    passkeyAssertions: new PasskeyAssertions(parts),
  };
}
