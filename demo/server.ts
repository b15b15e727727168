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
import { installTheftDemo } from './theft.js';

/** Where the demo listens, and whether it may show the theft. */
export interface ServerOptions {
  readonly port: number;
  readonly host: string;
  readonly isDevelopment: boolean;
}

/** Starts the demo's app. Without the page, the API docs and the theft, this is all that an app needs. */
export async function startServer(
  orm: MikroORM,
  settings: SettingsInput,
  { port, host, isDevelopment }: ServerOptions,
): Promise<Server> {
  Container.set(MikroORM, orm);
  useContainer(Container);
  const auth = await createJwtAllauth({ orm, settings });
  const app = express();
  servePage(app, auth, isDevelopment);
  const theftControllers = isDevelopment ? installTheftDemo(app, auth) : [];
  const options = auth.serverOptions({
    controllers: [ProfileController, AdminController, HealthController, ...theftControllers],
  });
  useExpressServer(app, options);
  serveApiDocs(app, auth, options);
  return new Promise((resolve, reject) => {
    // Express 5 passes an error to the callback as well.
    const server: Server = app.listen(port, host, (error) => (error ? reject(error) : resolve(server)));
  });
}
