import 'reflect-metadata';
import { createExpressServer, Get, JsonController } from 'routing-controllers';
import { PERMISSIONS, serve } from './serve.js';

/** routing-controllers and nothing else: what the framework itself costs. */
@JsonController('/profile')
class ProfileController {
  @Get('/id')
  id() {
    return { id: 'e7a1c9d2-0f43-4b6e-9f0a-6d1f5b8e2c34', permissions: PERMISSIONS };
  }
}

serve(createExpressServer({ controllers: [ProfileController] }), { get: { path: '/profile/id', users: [{}] } });
