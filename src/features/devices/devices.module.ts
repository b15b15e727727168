import type { AuthModule } from '../../module.js';
import { DEVICES_MAILS } from './devices.mails.js';
import { createSessionsController } from './sessions.controller.js';
import { TheftNotices } from './theft-notices.js';

/** The list of the own sessions, their end, and the notice about a session that was stolen. */
export const devicesModule: AuthModule = {
  name: 'devices',
  routes: ['sessions'],
  mails: DEVICES_MAILS,
  create(kernel) {
    new TheftNotices(kernel).listen();
    return { controllers: [createSessionsController(kernel, kernel.http)] };
  },
};
