import express from 'express';
import { PERMISSIONS, serve } from './serve.js';

/** Only Express 5. */
const app = express();
app.get('/profile/id', (_request, response) => {
  response.json({ id: 'e7a1c9d2-0f43-4b6e-9f0a-6d1f5b8e2c34', permissions: PERMISSIONS });
});

serve(app, { get: { path: '/profile/id', users: [{}] } });
