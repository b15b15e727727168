import type { AuthModule } from '../../module.js';
import { createJwksController } from './jwks.controller.js';

/** Publishes the public keys that verify tokens. */
export const jwksModule: AuthModule = {
  name: 'jwks',
  routes: ['jwks'],
  create: (kernel) => ({ controllers: [createJwksController(kernel, kernel.http)] }),
};
