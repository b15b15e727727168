import type { AuthModule } from '../../module.js';
import { createLogoutController } from './logout.controller.js';

/** The end of the own session, or of all. */
export const logoutModule: AuthModule = {
  name: 'logout',
  routes: ['logout'],
  create: (kernel) => ({ controllers: [createLogoutController(kernel, kernel.http)] }),
};
