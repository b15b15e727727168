import type { AuthModule } from '../../module.js';
import { createMailCodeController } from './mail-code.controller.js';
import { MailCodes } from './mail-codes.js';
import { createReauthenticationController } from './reauthentication.controller.js';
import { REAUTHENTICATION_MAILS } from './reauthentication.mails.js';
import { ReauthenticationService } from './reauthentication.service.js';
import { ReauthenticationBody } from './reauthentication-body.js';
import { REAUTHENTICATION_ERRORS } from './reauthentication-errors.js';

/** Re-authentication (step-up): a signed-in user proves again who they are. Codes by mail need PUBLIC_URL. */
export const reauthenticationModule: AuthModule = {
  name: 'reauthentication',
  routes: ['reauthentication'],
  mails: REAUTHENTICATION_MAILS,
  errors: REAUTHENTICATION_ERRORS,
  create(kernel) {
    const { make, http, reAuthentications } = kernel;
    const reauthentication = make(ReauthenticationService, kernel);
    const body = new ReauthenticationBody(reAuthentications);
    const controller = createReauthenticationController({ reauthentication }, body, http);
    if (!http.links) return { controllers: [controller] };
    const mailCodes = new MailCodes(kernel);
    return {
      controllers: [controller, createMailCodeController(mailCodes, http.links)],
      reAuthentications: [mailCodes],
    };
  },
};
