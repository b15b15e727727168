import { accountModule } from './features/account/account.module.js';
import { devicesModule } from './features/devices/devices.module.js';
import { emailModule } from './features/email/email.module.js';
import { invitationsModule } from './features/invitations/invitations.module.js';
import { jwksModule } from './features/jwks/jwks.module.js';
import { logoutModule } from './features/logout/logout.module.js';
import { passwordModule } from './features/password/password.module.js';
import { passwordByMailModule } from './features/password-by-mail/password-by-mail.module.js';
import { reauthenticationModule } from './features/reauthentication/reauthentication.module.js';
import { refreshModule } from './features/refresh/refresh.module.js';
import { registrationModule } from './features/registration/registration.module.js';
import type { AuthModule } from './module.js';

/** The features that every app has, in the order of their routes in the documentation and in OpenAPI. */
export const STANDARD_MODULES: readonly AuthModule[] = [
  registrationModule,
  passwordModule,
  refreshModule,
  logoutModule,
  reauthenticationModule,
  devicesModule,
  accountModule,
  emailModule,
  passwordByMailModule,
  invitationsModule,
  jwksModule,
];
