import type { AuthModule } from '../../module.js';
import { DEVICES_MAILS } from './devices.mails.js';
import { createSessionsController } from './sessions.controller.js';
import { TheftNotices } from './theft-notices.js';

/** The list of the user's sessions, their revocation, and the notice about a stolen session. */
export const devicesModule: AuthModule = {
  name: 'devices',
  routes: ['sessions'],
  mails: DEVICES_MAILS,
  create(kernel) {
    new TheftNotices(kernel).listen();
    return { controllers: [createSessionsController(kernel, kernel.http)] };
  },
};
