import express from 'express';
import { expressjwt, type Request } from 'express-jwt';
import { bearers, key } from './bearer.js';
import { serve } from './serve.js';

/** express-jwt on Express 5 without routing-controllers. Its key object is created once. */
const app = express();
app.get('/profile/id', expressjwt({ secret: key as never, algorithms: ['HS256'] }), (request: Request, response) => {
  response.json({ id: request.auth?.sub, permissions: request.auth?.['permissions'] });
});

serve(app, { get: { path: '/profile/id', users: bearers() } });
