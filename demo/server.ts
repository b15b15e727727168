import type { Server } from 'node:http';
import { MikroORM } from '@mikro-orm/postgresql';
import express from 'express';
import { createJwtAllauth, type SettingsInput } from 'jwt-allauth';
import { useContainer, useExpressServer } from 'routing-controllers';
import { Container } from 'typedi';
import { AdminController } from './admin.controller.js';
import { serveApiDocs } from './api-docs.js';
import { HealthController } from './health.controller.js';
import { servePage } from './page.js';
import { ProfileController } from './profile.controller.js';
import { stageTheft } from './theft.js';

/** Where the demo listens, and whether it may show a theft. */
export interface Stage {
  readonly port: number;
  readonly host: string;
  readonly isDevelopment: boolean;
}

/** The demo's app, listening. Without the page, the API docs and the theft, this is all that an app has to do. */
export async function startServer(
  orm: MikroORM,
  settings: SettingsInput,
  { port, host, isDevelopment }: Stage,
): Promise<Server> {
  Container.set(MikroORM, orm);
  useContainer(Container);
  const auth = await createJwtAllauth({ orm, settings });
  const app = express();
  servePage(app, auth.settings, isDevelopment);
  const theft = isDevelopment ? stageTheft(app, auth) : [];
  const options = auth.serverOptions({
    controllers: [ProfileController, AdminController, HealthController, ...theft],
  });
  useExpressServer(app, options);
  serveApiDocs(app, auth, options);
  return new Promise((resolve, reject) => {
    // Express 5 calls back with the error as well.
    const server: Server = app.listen(port, host, (error) => (error ? reject(error) : resolve(server)));
  });
}
