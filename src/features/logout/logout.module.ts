import type { AuthModule } from '../../module.js';
import { createLogoutController } from './logout.controller.js';

/** Sign-out from one session, or from all. */
export const logoutModule: AuthModule = {
  name: 'logout',
  routes: ['logout'],
  create: (kernel) => ({ controllers: [createLogoutController(kernel, kernel.http)] }),
};
