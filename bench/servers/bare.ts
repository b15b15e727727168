import 'reflect-metadata';
import { createExpressServer, Get, JsonController } from 'routing-controllers';
import { LEAN, lean, PERMISSIONS, serve } from './serve.js';

/** Only routing-controllers: the cost of the framework itself. BENCH_VARIANT `lean` turns off what is not needed. */
@JsonController('/profile')
class ProfileController {
  @Get('/id')
  id() {
    return { id: 'e7a1c9d2-0f43-4b6e-9f0a-6d1f5b8e2c34', permissions: PERMISSIONS };
  }
}

const isLean = process.env['BENCH_VARIANT'] === 'lean';
const app = createExpressServer({ controllers: [ProfileController], ...(isLean && LEAN) });
serve(isLean ? lean(app) : app, { get: { path: '/profile/id', users: [{}] } });
