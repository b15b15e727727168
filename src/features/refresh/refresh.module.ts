import type { AuthModule } from '../../module.js';
import { createRefreshController } from './refresh.controller.js';

/** Exchanges refresh tokens for their successors. */
export const refreshModule: AuthModule = {
  name: 'refresh',
  create: (kernel) => ({ controllers: [createRefreshController(kernel, kernel.http)] }),
};
